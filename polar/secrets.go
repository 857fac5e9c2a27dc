package polar

import "bytes"

// StripSecrets blanks what must not be kept from a body, wherever it is nested:
// the short-lived token that Polar puts beside a Discord guild's id. All other
// bytes stay as they are; a body without one is returned itself.
func StripSecrets(body []byte) []byte {
	if !bytes.Contains(body, []byte("guild_token")) { // without its quotes, which are everywhere: several times faster
		return body
	}
	key := []byte(`"guild_token"`)
	at := bytes.Index(body, key)
	out := make([]byte, 0, len(body))
	for ; at >= 0; at = bytes.Index(body, key) {
		value := at + len(key)
		from, to := stringAfterColon(body[value:])
		out = append(out, body[:value+from]...)
		body = body[value+to:]
	}
	return append(out, body...)
}

// stringAfterColon finds the inside of the string that follows a key. Both are
// zero when something else does.
func stringAfterColon(text []byte) (from, to int) {
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte(":"))
	if !ok {
		return 0, 0
	}
	rest, ok = bytes.CutPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(`"`))
	if !ok {
		return 0, 0
	}
	from = len(text) - len(rest)
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return from, from + i
		}
	}
	return from, len(text)
}
