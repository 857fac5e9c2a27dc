package tasks

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// idleEvery is how often an idle queue is really asked: for what another
// daemon, a retry or a person put there.
const idleEvery = 200 * time.Millisecond

// idle holds back asynq's polls of an empty queue. asynq polls rather than
// waits; to pick work up within milliseconds it would have to ask Redis, by a
// script, hundreds of times a second. This process knows what it has queued
// itself: a poll goes through when there is some, when some comes, and every
// idleEvery.
type idle struct {
	kind string
	busy func(kind string) bool
	wake <-chan struct{}
}

// DialHook implements redis.Hook.
func (i idle) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook implements redis.Hook.
func (i idle) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	pending, paused := fmt.Sprintf("asynq:{%s}:pending", i.kind), fmt.Sprintf("asynq:{%s}:paused", i.kind)
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !isDequeue(cmd.Args(), pending, paused) || i.busy(i.kind) {
			return next(ctx, cmd)
		}
		select {
		case <-i.wake:
		case <-time.After(idleEvery):
		case <-ctx.Done():
		}
		return next(ctx, cmd)
	}
}

// isDequeue knows asynq's dequeue script by its first two keys.
func isDequeue(args []any, pending, paused string) bool {
	return len(args) > 4 && args[3] == pending && args[4] == paused
}

// ProcessPipelineHook implements redis.Hook.
func (i idle) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
