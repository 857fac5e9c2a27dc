package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"fulfilld/grant"
	"fulfilld/grant/shape"
	"fulfilld/internal/outbound"
)

// The outcomes of a delivery. They are metric labels and stay as they are.
const (
	sentDelivered = "delivered"
	sentFailed    = "failed"    // it is tried again
	sentThrottled = "throttled" // the endpoint wants to be left alone
	sentGone      = "gone"      // the endpoint is switched off
	sentGivenUp   = "given_up"
)

var sentOutcomes = [...]string{sentDelivered, sentFailed, sentThrottled, sentGone, sentGivenUp}

// deliver posts one delivery and writes down what came of it. It returns after
// how long it is to be tried again; 0 when it is not. Where nothing can be written
// down, the lease runs out and it is sent again, under the same id.
func (l *lane) deliver(posts context.Context, d grant.Delivery) (wait time.Duration) {
	answer, err := l.post(posts, d)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(posts), recordTime)
	defer cancel()
	outcome, wait, failed := l.conclude(ctx, d, answer, err, posts.Err() != nil)
	if failed != nil {
		l.Log.Error("delivery not recorded; it is made again when its lease is over", slog.String("delivery", d.ID), slog.Any("err", failed))
	}
	l.Metrics.count(l.Name, outcome)
	l.report(d, outcome, answer, err)
	return wait
}

// post sends it, signed now.
func (l *lane) post(ctx context.Context, d grant.Delivery) (outbound.Answer, error) {
	body, err := json.Marshal(struct {
		Type      string          `json:"type"`
		Timestamp shape.Time      `json:"timestamp"`
		Sequence  int64           `json:"sequence"`
		Data      json.RawMessage `json:"data"`
	}{d.Type, shape.Time(d.CreatedAt), d.Seq, d.Data})
	if err != nil {
		return outbound.Answer{}, err
	}
	header, err := outbound.Sign(l.Secrets, d.ID, time.Now(), body)
	if err != nil {
		return outbound.Answer{}, err
	}
	return l.Client.Post(ctx, l.URL, header, body)
}

// conclude is the one place where an answer becomes a next step.
func (l *lane) conclude(ctx context.Context, d grant.Delivery, a outbound.Answer, err error, stopping bool) (outcome string, wait time.Duration, failed error) {
	why := fmt.Sprintf("answered %d", a.Status)
	switch {
	case err == nil && a.Good():
		return sentDelivered, 0, l.Outbox.Delivered(ctx, d)
	case stopping: // we interrupted it: not an attempt
		return sentFailed, 0, l.Outbox.Release(ctx, d, "stopped before it was through")
	case err != nil:
		why = err.Error()
	case a.Status == http.StatusGone:
		l.gone.Store(true)
		l.tellGone()
		return sentGone, 0, l.Outbox.Release(ctx, d, why)
	case a.Status == http.StatusTooManyRequests, a.Status == http.StatusServiceUnavailable && a.Wait > 0:
		outcome, wait = sentThrottled, min(max(a.Wait, firstBackoff), longestWait)
		l.until.Store(time.Now().Add(wait).UnixMicro())
	}
	if outcome == "" {
		outcome, wait = sentFailed, max(backoff(d.Attempts+1), min(a.Wait, longestWait))
	}
	up, failed := l.Outbox.Postpone(ctx, d, wait, l.patience, why)
	if up {
		return sentGivenUp, 0, failed
	}
	return outcome, wait, failed
}

func (l *lane) report(d grant.Delivery, outcome string, a outbound.Answer, err error) {
	level, attrs := slog.LevelInfo, []slog.Attr{
		slog.String("delivery", d.ID), slog.String("endpoint", l.Name), slog.String("type", d.Type),
		slog.Int("attempt", d.Attempts+1), slog.String("outcome", outcome), slog.Int("status", a.Status),
	}
	if outcome != sentDelivered {
		level = slog.LevelWarn
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	l.Log.LogAttrs(context.Background(), level, "delivery", attrs...)
}
