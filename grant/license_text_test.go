package grant

import (
	"regexp"
	"testing"
)

func TestARenewedKeyKeepsItsPrefix(t *testing.T) {
	t.Parallel()
	const id = `[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}`
	for _, prefix := range []string{"", "ACME", "A-B", "É Ü", "1C285B2D-6CE6-4BC7-B8BE-ADB6A7E304DA"} {
		want := `^` + id + `$`
		if prefix != "" {
			want = `^` + prefix + `-` + id + `$`
		}
		old, _ := LicenseText(prefix)
		key, display := RenewedText(old)
		if key == old || !regexp.MustCompile(want).MatchString(old) || !regexp.MustCompile(want).MatchString(key) || display != "****-"+key[len(key)-6:] {
			t.Errorf("%q became %q, shown as %q", old, key, display)
		}
	}
	if key, _ := RenewedText("of another form"); !regexp.MustCompile(`^` + id + `$`).MatchString(key) {
		t.Errorf("of another form: %q", key)
	}
}
