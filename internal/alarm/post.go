package alarm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	postEvery    = time.Hour        // at most one POST a code
	againAfter   = time.Minute      // one that was not delivered is tried at the next Raise after this
	postTimeout  = 10 * time.Second // an address that hangs holds up only the other POSTs
	postsWaiting = 32               // more than there are codes
)

// poster sends alarms to an address, one after another.
type poster struct {
	url    string
	client *http.Client
	log    *slog.Logger
	queue  chan Alarm
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	ready map[string]time.Time // when a code may be posted next
}

func startPoster(url string, log *slog.Logger) *poster {
	ctx, cancel := context.WithCancel(context.Background())
	p := &poster{
		url: url, log: log, cancel: cancel,
		client: &http.Client{
			Timeout:       postTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		queue: make(chan Alarm, postsWaiting),
		done:  make(chan struct{}),
		ready: map[string]time.Time{},
	}
	go p.run(ctx)
	return p
}

// offer queues an alarm when its code may be posted again.
func (p *poster) offer(a Alarm, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.ready[a.Code]) {
		return
	}
	select {
	case p.queue <- a:
		p.ready[a.Code] = now.Add(postEvery)
	default: // it is offered again when it is raised again
	}
}

func (p *poster) run(ctx context.Context) {
	defer close(p.done)
	for {
		select {
		case a := <-p.queue:
			if err := p.post(ctx, a); err != nil && ctx.Err() == nil {
				p.log.LogAttrs(ctx, slog.LevelWarn, "alarm not posted", slog.String("code", a.Code), slog.Any("err", err))
				p.undelivered(a)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (p *poster) undelivered(a Alarm) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready[a.Code] = a.Last.Add(againAfter)
}

// post sends one alarm. Its errors do not name the address, which is often a
// secret itself.
func (p *poster) post(ctx context.Context, a Alarm) error {
	body, err := json.Marshal(struct {
		Code  string    `json:"code"`
		Text  string    `json:"text"`
		Next  string    `json:"next"`
		Since time.Time `json:"since"`
	}{a.Code, a.Text, a.Next, a.Since.UTC()})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("alerts.url is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		var named *url.Error
		if errors.As(err, &named) {
			err = named.Err
		}
		return fmt.Errorf("alerts.url does not answer: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4096) // so that the connection can be used again
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("alerts.url answered %s", resp.Status)
	}
	return nil
}

func (p *poster) close() {
	p.cancel()
	<-p.done
	p.client.CloseIdleConnections()
}
