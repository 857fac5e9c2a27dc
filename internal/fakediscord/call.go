package fakediscord

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxBody   = 1 << 20
	maxReason = 512 // characters of an audit log reason
)

// call is one request, read and routed.
type call struct {
	method, path  string // the path without /api/v9
	route         *route // nil: there is none
	param         map[string]string
	query         url.Values
	authorization string
	contentType   string
	body          []byte
	reason        string
	bot           *Bot    // who calls; nil where that need not be known
	guild         *guild  // where, once entered
	member        *Member // about whom, if about a member
}

func read(r *http.Request) (*call, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return nil, err
	}
	path, versioned := withoutVersion(r.URL.EscapedPath())
	c := &call{
		method: r.Method, path: path,
		query:         r.URL.Query(),
		authorization: r.Header.Get("Authorization"),
		contentType:   r.Header.Get("Content-Type"),
		body:          body,
		reason:        reason(r.Header.Get("X-Audit-Log-Reason")),
	}
	if versioned {
		c.route, c.param = find(c.method, c.path)
	}
	return c, nil
}

func withoutVersion(path string) (string, bool) {
	for _, version := range []string{"/api/v9", "/api/v10"} {
		if rest, ok := strings.CutPrefix(path, version); ok && strings.HasPrefix(rest, "/") {
			return rest, true
		}
	}
	return path, false
}

// reason decodes an audit log reason. A plus sign is a plus sign: clients
// encode for a path, where a space is %20.
func reason(header string) string {
	if plain, err := url.PathUnescape(header); err == nil {
		return plain
	}
	return header
}

// check refuses what no route accepts: ids that are none, overlong reasons.
func (c *call) check() error {
	for _, segment := range c.route.segments {
		name, ok := wildcard(segment)
		if ok && strings.HasSuffix(name, "_id") && !snowflake(c.param[name]) {
			return invalidForm(name, "NUMBER_TYPE_COERCE", "Value "+strconv.Quote(c.param[name])+" is not snowflake.")
		}
	}
	if utf8.RuneCountInString(c.reason) > maxReason {
		return invalidForm("reason", "BASE_TYPE_MAX_LENGTH", "Must be 512 or fewer in length.")
	}
	return nil
}

func snowflake(id string) bool {
	digits := !slices.ContainsFunc([]byte(id), func(b byte) bool { return b < '0' || b > '9' })
	n, err := strconv.ParseUint(id, 10, 64)
	return digits && err == nil && n > 0
}

// decode reads the JSON body. A missing one is like an empty object.
func (c *call) decode(into any) error {
	if len(c.body) == 0 {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(c.contentType); err != nil || kind != "application/json" {
		return wrongContentType
	}
	if json.Unmarshal(c.body, into) != nil {
		return invalidJSON
	}
	return nil
}

func (c *call) botID() string {
	if c.bot == nil {
		return ""
	}
	return c.bot.ID
}
