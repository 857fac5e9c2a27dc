package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
)

const (
	pollEvery    = 4 * time.Millisecond // between polls, see idle; asynq's default takes a second
	delayedEvery = time.Second          // retries become ready this often
)

// newPool is one kind's own server, so that a slow provider never holds up
// another kind. Its work runs on a context made from working.
func newPool(working context.Context, kind string, concurrency int, redis asynq.RedisConnOpt, log *slog.Logger) *asynq.Server {
	return asynq.NewServer(redis, asynq.Config{
		Concurrency:              concurrency,
		Queues:                   map[string]int{kind: 1},
		TaskCheckInterval:        pollEvery,
		DelayedTaskCheckInterval: delayedEvery,
		ShutdownTimeout:          handBack,
		BaseContext:              func() context.Context { return working },
		RetryDelayFunc:           retryDelay,
		IsFailure:                isFailure,
		Logger:                   &quietLog{log: log.With(slog.String("queue", kind))},
		LogLevel:                 asynq.WarnLevel,
	})
}

// handler runs the worker for one task. It holds working meanwhile: when asynq
// stops, it does not wait for the work it has called off.
func (q *Queue) handler(kind string) asynq.Handler {
	return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		q.working.RLock()
		defer q.working.RUnlock()
		id, _ := asynq.GetTaskID(ctx)
		defer q.Dispatcher.Done(kind, id)
		err := q.Worker.Work(ctx, string(t.Payload()))
		return q.kept(err, q.Dispatcher.Crowded(kind))
	})
}

// startPools starts every pool.
func (q *Queue) startPools() error {
	for kind, p := range q.pools {
		if err := p.Start(q.handler(kind)); err != nil && !errors.Is(err, asynq.ErrServerClosed) {
			return fmt.Errorf("start the pool of %s: %w", kind, err)
		}
	}
	return nil
}

// quietLog passes on what asynq has to say, at most one line a second: with
// Redis gone it repeats itself thousands of times.
type quietLog struct {
	log  *slog.Logger
	last atomic.Int64 // when it last said something, in Unix nanoseconds
}

func (q *quietLog) say(level slog.Level, args []any) {
	now, last := time.Now().UnixNano(), q.last.Load()
	if now-last >= int64(time.Second) && q.last.CompareAndSwap(last, now) {
		q.log.Log(context.Background(), level, "asynq", slog.String("says", fmt.Sprint(args...)))
	}
}

// Debug implements asynq.Logger.
func (q *quietLog) Debug(args ...any) { q.say(slog.LevelDebug, args) }

// Info implements asynq.Logger.
func (q *quietLog) Info(args ...any) { q.say(slog.LevelDebug, args) }

// Warn implements asynq.Logger.
func (q *quietLog) Warn(args ...any) { q.say(slog.LevelWarn, args) }

// Error implements asynq.Logger.
func (q *quietLog) Error(args ...any) { q.say(slog.LevelWarn, args) }

// Fatal implements asynq.Logger. The process is not asynq's to end.
func (q *quietLog) Fatal(args ...any) { q.say(slog.LevelError, args) }
