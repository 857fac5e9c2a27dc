package polar

import "bytes"

// notKept are the keys whose texts are nobody's business later: the short-lived
// token beside a Discord guild's id, what opens a checkout without a login, and
// the address that a customer bought from.
var notKept = [...]string{"guild_token", "client_secret", "customer_ip_address"}

// StripSecrets blanks what must not be kept from a body, wherever it is nested,
// and takes a token out of other texts that repeat it, as a checkout's url does.
// All other bytes stay as they are; a body without any is returned itself.
func StripSecrets(body []byte) []byte {
	for _, key := range notKept {
		if !bytes.Contains(body, []byte(key)) { // without its quotes, which are everywhere: several times faster
			continue
		}
		stripped, texts := blank(body, []byte(`"`+key+`"`))
		for _, text := range texts {
			if token(text) {
				stripped = bytes.ReplaceAll(stripped, text, nil)
			}
		}
		body = stripped
	}
	return body
}

// blank empties the texts that follow a key, and returns what they were.
func blank(body, key []byte) (out []byte, texts [][]byte) {
	out = make([]byte, 0, len(body))
	for at := bytes.Index(body, key); at >= 0; at = bytes.Index(body, key) {
		value := body[at+len(key):]
		from, to := stringAfterColon(value)
		texts = append(texts, value[from:to])
		out = append(out, body[:at+len(key)+from]...)
		body = value[to:]
	}
	return append(out, body...), texts
}

// token reports whether a text is long enough to mean nothing else wherever it
// stands. With an underscore and no quote, it can only be a part of a string.
func token(text []byte) bool {
	for _, c := range text {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return len(text) >= 16 && bytes.IndexByte(text, '_') >= 0
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
