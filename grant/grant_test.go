package grant_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fulfilld/grant"
)

type heard struct {
	word    grant.Word
	version grant.Version
}

func hearAll(all []heard) (s grant.Said) {
	for _, h := range all {
		s = s.Hear(h.word, h.version)
	}
	return s
}

func TestHearingIsCommutativeAndIdempotent(t *testing.T) {
	t.Parallel()
	word := rapid.SampledFrom([]grant.Word{grant.SaysNone, grant.SaysGranted, grant.SaysRevoked})
	one := rapid.Custom(func(t *rapid.T) heard {
		return heard{word.Draw(t, "word"), grant.Version{
			At: hours(rapid.IntRange(0, 4).Draw(t, "at")), Sent: hours(rapid.IntRange(0, 2).Draw(t, "sent")),
		}}
	})
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(one, 0, 8).Draw(t, "all")
		again := append(append([]heard{}, all...), all...) // twice, in another order
		seed := rapid.Uint64().Draw(t, "seed")
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		if a, b := hearAll(all), hearAll(again); a != b {
			t.Fatalf("%+v, shuffled and repeated %+v", a, b)
		}
		if got, want := hearAll(all).Word(), newest(all); got != want {
			t.Fatalf("says %s, want %s", got, want)
		}
	})
}

// newest is the rule in its plainest form: none counts only where nothing else
// was said; else the newest counts, and revoked among equals.
func newest(all []heard) grant.Word {
	best := heard{word: grant.SaysNone}
	for _, h := range all {
		c := h.version.Compare(best.version)
		if h.word != grant.SaysNone && (best.word == grant.SaysNone || c > 0 || c == 0 && h.word == grant.SaysRevoked) {
			best = h
		}
	}
	return best.word
}

func TestVersionsAreOrderedByTheThingAndThenByTheEnvelope(t *testing.T) {
	t.Parallel()
	ordered := []grant.Version{{}, {Sent: hours(0)}, {At: hours(0)}, {At: hours(0), Sent: hours(1)}, {At: hours(1)}, {At: hours(1), Sent: hours(0)}}
	for i, v := range ordered {
		for j, w := range ordered {
			want := 0
			if i != j {
				want = 1
			}
			if i < j {
				want = -1
			}
			if got := v.Compare(w); got != want {
				t.Errorf("compare %d with %d: %d, want %d", i, j, got, want)
			}
			if got := v.Newer(w); got != ordered[max(i, j)] {
				t.Errorf("the newer of %d and %d is %+v", i, j, got)
			}
		}
		if v.IsZero() != (i == 0) {
			t.Errorf("%d is zero: %v", i, v.IsZero())
		}
	}
}

func TestLatest(t *testing.T) {
	t.Parallel()
	if got := grant.Latest(time.Time{}, hours(1), hours(3), hours(2)); !got.Equal(hours(3)) {
		t.Errorf("latest %v", got)
	}
	if got := grant.Latest(time.Time{}); !got.IsZero() {
		t.Errorf("latest of none %v", got)
	}
}

func TestWorstStateIsShown(t *testing.T) {
	t.Parallel()
	for i, worse := range grant.States {
		for _, better := range grant.States[i:] {
			if got := grant.Worst(better, worse); got != worse {
				t.Errorf("%s and %s show as %s", better, worse, got)
			}
		}
	}
	if got := grant.Worst(); got != grant.Unmanaged {
		t.Errorf("none shows as %s", got)
	}
}

func TestLicenseKeyStatusIsTheMerchantsWhileItIsActive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		active   bool
		merchant string
		want     string
	}{
		{true, "", "granted"},
		{true, "disabled", "disabled"},
		{true, "revoked", "revoked"},
		{false, "disabled", "revoked"},
		{false, "", "revoked"},
	} {
		if got := (grant.LicenseKey{Active: c.active, MerchantStatus: c.merchant}).Status(); got != c.want {
			t.Errorf("active %v, merchant %q: %s, want %s", c.active, c.merchant, got, c.want)
		}
	}
}
