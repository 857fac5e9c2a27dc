package fakegithub

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
)

// Pages of GitHub's documentation, as its errors name them.
const (
	docsRoot      = "https://docs.github.com/rest"
	docsSecondary = docsRoot + "/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
	docsRedirects = "https://docs.github.com/v3/#http-redirects"
)

// answer is what goes back. A nil body is an empty one; a string is HTML.
type answer struct {
	status int
	body   any
	header http.Header
}

// problem is the body of every GitHub error.
type problem struct {
	Message string `json:"message"`
	Errors  any    `json:"errors,omitempty"`
	URL     string `json:"url,omitempty"`
	Docs    string `json:"documentation_url,omitempty"`
	Status  string `json:"status,omitempty"`
}

func refuse(status int, message string) answer {
	return answer{status: status, body: &problem{Message: message, Docs: docsRoot, Status: strconv.Itoa(status)}}
}

func notFound() answer { return refuse(http.StatusNotFound, "Not Found") }

func forbidden(message string) answer { return refuse(http.StatusForbidden, message) }

func badCredentials() answer { return refuse(http.StatusUnauthorized, "Bad credentials") }

// invalid is a 422. Its errors are a list of objects or, as GitHub's schema
// allows and some answers have it, one string.
func invalid(errors any) answer {
	a := refuse(http.StatusUnprocessableEntity, "Validation Failed")
	a.body.(*problem).Errors = errors
	return a
}

func noContent() answer { return answer{status: http.StatusNoContent} }

func found(body any) answer { return answer{status: http.StatusOK, body: body} }

// documented names the page of the endpoint that refused.
func (a answer) documented(page string) answer {
	if p, ok := a.body.(*problem); ok && p.Docs == docsRoot && page != "" {
		p.Docs = docsRoot + "/" + page
	}
	return a
}

func (a answer) with(name, value string) answer {
	h := maps.Clone(a.header)
	if h == nil {
		h = http.Header{}
	}
	h.Set(name, value)
	a.header = h
	return a
}

// encode returns the body's bytes and their media type.
func (a answer) encode() ([]byte, string) {
	switch body := a.body.(type) {
	case nil:
		return nil, ""
	case string:
		return []byte(body), "text/html; charset=utf-8"
	case json.RawMessage:
		return body, "application/json; charset=utf-8"
	}
	text, err := json.Marshal(a.body)
	if err != nil {
		panic(fmt.Sprintf("fakegithub: body of %T: %v", a.body, err))
	}
	return text, "application/json; charset=utf-8"
}

// send writes the answer, as far as the fault lets it through.
func (c *call) send(w http.ResponseWriter, a answer) {
	body, media := a.encode()
	maps.Copy(w.Header(), a.header)
	if media != "" {
		w.Header().Set("Content-Type", media)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	switch {
	case c.fault.Kind == LostAnswer || c.fault.Kind == HalfBody && len(body) == 0:
		panic(http.ErrAbortHandler)
	case c.fault.Kind == HalfBody:
		w.WriteHeader(a.status)
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body)
}
