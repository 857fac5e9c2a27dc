package handlers

import (
	"fmt"
	"testing"
	"time"
)

// The wants are pydantic's, which reads the platform's requests.
func TestAMomentIsReadInEachOfThePlatformsSpellings(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		`null`: "0001-01-01T00:00:00Z", `"2027-01-01"`: "2027-01-01T00:00:00Z",
		`"2027-01-01T00:00:00"`: "2027-01-01T00:00:00Z", `"2027-01-01 00:00"`: "2027-01-01T00:00:00Z", `"2027-01-01_00:00:00"`: "2027-01-01T00:00:00Z",
		`"2027-01-01T00:00:00Z"`: "2027-01-01T00:00:00Z", `"2027-01-01t00:00:00z"`: "2027-01-01T00:00:00Z", `"2027-01-01T00:00Z"`: "2027-01-01T00:00:00Z",
		`"2027-01-01T00:00:00+02:00"`: "2026-12-31T22:00:00Z", `"2027-01-01T00:00:00+0200"`: "2026-12-31T22:00:00Z", `"2027-01-01T00:00:00.5"`: "2027-01-01T00:00:00.5Z",
		`"2027-01-01T00:00:00,5Z"`: "2027-01-01T00:00:00.5Z", `1798761600`: "2027-01-01T00:00:00Z", `1798761600.25`: "2027-01-01T00:00:00.25Z", `1798761600000`: "2027-01-01T00:00:00Z",
		`"1798761600"`: "2027-01-01T00:00:00Z", `"+1798761600"`: "2027-01-01T00:00:00Z", `"1798761600000"`: "2027-01-01T00:00:00Z", `"2027"`: "1970-01-01T00:33:47Z",
		`20000000000`: "2603-10-11T11:33:20Z", `20000000001`: "1970-08-20T11:33:20.001Z", `0`: "1970-01-01T00:00:00Z", `-1`: "1969-12-31T23:59:59Z", `253402300799000`: "9999-12-31T23:59:59Z",
	} {
		var got time.Time
		if wrong := formed(t, fmt.Sprintf(`{"at":%s}`, given), func(f *form) { got = f.moment("at") }); wrong != "" || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %s, want %s %s", given, got.UTC().Format(time.RFC3339Nano), want, wrong)
		}
	}
	for _, given := range []string{
		`""`, `"2027-13-01"`, `"2027-02-30"`, `"2027-02-30T00:00:00Z"`, `"2027-01-01T25:00:00Z"`, `"2027-01-01T24:00:00Z"`, `"2027-01-01X"`, `"2027-01-01T"`, `"2027-01-01T00:00:00x"`,
		`"2027-01-01T00:00:00+25:00"`, `"2027-01-01T00:00:00+02"`, `" 2027-01-01 "`, `"2027-01-01T00:00:00Z "`, `"2027-1-1"`, `"1e3"`, `"nan"`, `253402300800000`, `1e300`, `[1]`, `{}`, `false`,
	} {
		if formed(t, fmt.Sprintf(`{"at":%s}`, given), func(f *form) { f.moment("at") }) == "" {
			t.Errorf("%s is taken", given)
		}
	}
}

func TestANumberMayBeWrittenAsAText(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]int64{`1`: 1, `1.0`: 1, `"1"`: 1, `" 1 "`: 1, `"1.00"`: 1, `"+1"`: 1, `"-1"`: -1, `"01"`: 1, `"-0"`: 0, `2e3`: 2000} {
		var got *int64
		if wrong := formed(t, fmt.Sprintf(`{"n":%s}`, given), func(f *form) { got = f.number("n", -5) }); wrong != "" || got == nil || *got != want {
			t.Errorf("%s: %v, want %d %s", given, got, want, wrong)
		}
	}
	for _, given := range []string{`"1.5"`, `"abc"`, `""`, `" "`, `"1e2"`, `"0x1"`, `"1."`, `"１"`, `"99999999999999999999"`, `"-6"`, `1.5`, `true`, `[1]`} {
		if formed(t, fmt.Sprintf(`{"n":%s}`, given), func(f *form) { f.number("n", -5) }) == "" {
			t.Errorf("%s is taken", given)
		}
	}
}
