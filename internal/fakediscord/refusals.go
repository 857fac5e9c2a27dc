package fakediscord

import (
	"fmt"
	"hash/crc32"
	"net/http"
	"strconv"
	"time"
)

// header is what every answer tells of its route's limit.
func (m *meter) header(w Window, name string, now time.Time) http.Header {
	if w.Requests < 0 {
		return http.Header{}
	}
	return limitHeader(name, w.Requests, w.Requests-m.used, m.ends, now)
}

func limitHeader(name string, limit, remaining int, ends, now time.Time) http.Header {
	h := http.Header{}
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(remaining))
	h.Set("X-RateLimit-Reset", strconv.FormatFloat(float64(ends.Add(time.Millisecond-1).UnixMilli())/1000, 'f', 3, 64))
	h.Set("X-RateLimit-Reset-After", strconv.FormatFloat(seconds(ends.Sub(now)), 'f', 3, 64))
	h.Set("X-RateLimit-Bucket", fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(name))))
	return h
}

// seconds rounds up to the millisecond, so that who waits has waited enough.
func seconds(d time.Duration) float64 { return float64(roundUp(d, time.Millisecond)) / 1000 }

func roundUp(d, unit time.Duration) int { return int((d + unit - 1) / unit) }

// tooMany refuses for a route's limit, or for a resource's if the scope is
// "shared".
func tooMany(scope string, wait time.Duration, header http.Header) answer {
	message := "You are being rate limited."
	if scope == "shared" {
		message = "The resource is being rate limited."
	}
	header.Set("X-RateLimit-Scope", scope)
	header.Set("Retry-After", wholeSeconds(wait))
	body := object{"message": message, "retry_after": seconds(wait), "global": scope == "global"}
	return answer{status: http.StatusTooManyRequests, header: header, body: body}
}

// tooManyGlobally has, as documented, no word of when the limit resets.
func tooManyGlobally(wait time.Duration) answer {
	return tooMany("global", wait, http.Header{"X-Ratelimit-Global": {"true"}})
}

func wholeSeconds(d time.Duration) string { return strconv.Itoa(roundUp(d, time.Second)) }

// cloudflare refuses as Discord's front does: not in JSON. A wait of 0 is not
// told.
func cloudflare(wait time.Duration) answer {
	h := http.Header{"Content-Type": {"text/plain; charset=UTF-8"}, "Server": {"cloudflare"}}
	if wait > 0 {
		h.Set("Retry-After", wholeSeconds(wait))
	}
	return answer{status: http.StatusTooManyRequests, header: h, body: "error code: 1015"}
}
