package tasks

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// brake slows a client down while Redis refuses its scripts. asynq's fetch loop
// tries again at once: on errors that come back instantly (READONLY, OOM,
// NOREPLICAS) it would burn a core until they end. What else a server may refuse,
// such as what a new connection asks for, is no reason to wait.
type brake struct{ pause time.Duration }

// DialHook implements redis.Hook.
func (b brake) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook implements redis.Hook.
func (b brake) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		script := strings.HasPrefix(cmd.Name(), "eval")
		if !script || err == nil || errors.Is(err, redis.Nil) || ctx.Err() != nil || strings.HasPrefix(err.Error(), "NOSCRIPT") {
			return err
		}
		select {
		case <-time.After(b.pause):
		case <-ctx.Done():
		}
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (b brake) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
