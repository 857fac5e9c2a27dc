package ledger

import (
	"bytes"
	"testing"
	"time"
)

// older moves the making, and the retiring, of all keys back.
func (s *shop) older(by time.Duration) {
	s.t.Helper()
	must(s.t, s.writers.do(s.t.Context(), work, func(t *tx) error {
		_, err := t.exec(`UPDATE signing_keys SET created_at = created_at - $1, retired_at = CASE WHEN retired_at = 0 THEN 0 ELSE retired_at - $1 END`, by.Microseconds())
		return err
	}))
}

func TestAKeySignsForAMonthAndVerifiesForAsLongAsAnythingIsGood(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		keys := s.SigningKeys("downloads", time.Hour)
		current := func() (string, []byte) {
			t.Helper()
			id, secret, err := keys.Current(t.Context())
			if err != nil || len(secret) != 32 {
				t.Fatalf("%d bytes, %v", len(secret), err)
			}
			return id, secret
		}
		find := func(k SigningKeys, id string) []byte {
			t.Helper()
			secret, err := k.Find(t.Context(), id)
			must(t, err)
			return secret
		}
		first, secret := current()
		if again, _ := current(); again != first {
			t.Error("another key signs at once")
		}
		if got := find(s.SigningKeys("sessions", time.Hour), first); got != nil {
			t.Error("a key is good for another purpose")
		}
		s.older(signsFor)
		second, _ := current()
		if second == first || !bytes.Equal(find(keys, first), secret) {
			t.Error("the first key signs still, or verifies no more")
		}
		s.older(time.Hour)
		if find(keys, first) != nil || find(keys, second) == nil {
			t.Error("the first key verifies still, or the second no more")
		}
		s.older(signsFor)
		current()
		var n int
		must(t, s.read.row(t.Context(), `SELECT count(*) FROM signing_keys`, nil, &n))
		if n != 2 {
			t.Errorf("%d keys are kept, want 2", n)
		}
	})
}
