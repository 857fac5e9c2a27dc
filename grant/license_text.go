package grant

import (
	"crypto/rand"
	"fmt"
	"regexp"
)

// displayed is how many characters at the end of a key are shown.
const displayed = 6

// LicenseText makes the text of a new key in the platform's form (ADR 0003), of
// 122 random bits, and what may be shown of it.
func LicenseText(prefix string) (key, display string) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	key = fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	if prefix != "" {
		key = prefix + "-" + key
	}
	return key, "****-" + key[len(key)-displayed:]
}

var issued = regexp.MustCompile(`^(.+)-[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}$`)

// RenewedText is LicenseText with the prefix of an old key.
func RenewedText(old string) (key, display string) {
	if found := issued.FindStringSubmatch(old); found != nil {
		return LicenseText(found[1])
	}
	return LicenseText("")
}
