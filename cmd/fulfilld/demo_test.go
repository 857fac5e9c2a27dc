package main

import (
	"context"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// screen is an output that can be read while it is written.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// TestDemoStaysUpUntilItIsInterrupted sets TMPDIR, so it runs by itself.
func TestDemoStaysUpUntilItIsInterrupted(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, interrupt := context.WithCancel(t.Context())
	var out, errs screen
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"demo"}, nil, &out, &errs) }()
	waitFor(t, "the story is told", func() bool { return strings.Contains(out.String(), "Ctrl-C ends the demo") })
	health := regexp.MustCompile(`http://\S+/readyz`).FindString(out.String())
	select {
	case err := <-ended:
		t.Fatalf("ended by itself: %v", err)
	case <-time.After(time.Second): // nothing may happen meanwhile
	}
	if status := statusOf(health); status != http.StatusOK {
		t.Errorf("%s: %d", health, status)
	}
	interrupt()
	if err := <-ended; err != nil {
		t.Errorf("%v\n%s", err, errs.String())
	}
	if status := statusOf(health); status != 0 {
		t.Errorf("%s answers %d still", health, status)
	}
	if left, err := filepath.Glob(filepath.Join(tmp, "fulfilld-demo-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// statusOf asks a URL; 0 when nobody answers.
func statusOf(url string) int {
	resp, err := (&http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Get(url)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
