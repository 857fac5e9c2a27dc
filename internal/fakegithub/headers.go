package fakegithub

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	fewPerPage  = 30
	mostPerPage = 100
)

// headers are what every answer carries, and then the answer's own.
func (s *Server) headers(c *call, a answer) http.Header {
	h := http.Header{}
	if c.fault.Kind == HTMLError {
		return h
	}
	h.Set("X-RateLimit-Limit", strconv.Itoa(c.budget.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(c.budget.left()))
	h.Set("X-RateLimit-Used", strconv.Itoa(c.budget.used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(ceiling(c.budget.reset), 10))
	h.Set("X-RateLimit-Resource", "core")
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	h.Set("X-GitHub-Request-Id", fmt.Sprintf("FA4E:%04X:%X", c.entry.number&0xffff, c.entry.number))
	if t := c.by.token; t != nil && t.user != nil && !t.expires.IsZero() {
		h.Set("GitHub-Authentication-Token-Expiration", t.expires.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	for name := range a.header {
		h.Set(name, a.header.Get(name))
	}
	return h
}

// ceiling is a time in whole seconds, never earlier than it is.
func ceiling(t time.Time) int64 { return int64(math.Ceil(float64(t.UnixNano()) / 1e9)) }

// paged answers the page of a list that the request asks for. Links name the
// repository by its id, whatever the request did.
func (c *call) paged(all []any) answer {
	size := c.number("per_page", fewPerPage)
	size = min(size, mostPerPage)
	page, last := c.number("page", 1), max((len(all)+size-1)/size, 1)
	from := min((page-1)*size, len(all))
	a := found(all[from:min(from+size, len(all))])
	if links := c.links(page, last, size); links != "" {
		return a.with("Link", links)
	}
	return a
}

func (c *call) links(page, last, size int) string {
	var links []string
	add := func(rel string, to int, there bool) {
		if there {
			links = append(links, fmt.Sprintf(`<%s>; rel="%s"`, c.pageURL(to, size), rel))
		}
	}
	add("prev", min(page-1, last), page > 1)
	add("next", page+1, page < last)
	add("last", last, page < last)
	add("first", 1, page > 1)
	return strings.Join(links, ", ")
}

func (c *call) pageURL(page, size int) string {
	q := c.URL.Query()
	q.Set("page", strconv.Itoa(page))
	q.Set("per_page", strconv.Itoa(size))
	if c.repo == nil {
		return fmt.Sprintf("%s%s?%s", c.root, c.path, q.Encode())
	}
	list := c.path[strings.LastIndex(c.path, "/"):]
	return fmt.Sprintf("%s/repositories/%d%s?%s", c.root, c.repo.id, list, q.Encode())
}

// number reads a positive number of the query.
func (c *call) number(name string, usual int) int {
	n, err := strconv.Atoi(c.URL.Query().Get(name))
	if err != nil || n < 1 {
		return usual
	}
	return n
}
