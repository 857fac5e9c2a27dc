package tasks

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

const (
	sentinelKey  = "fulfilld:sentinel" // while it stands, Redis has kept what it was given
	queuesKey    = "asynq:queues"      // asynq adds to it once in a client's life, and not again after a flush
	probeEvery   = time.Second
	probeTime    = 2 * time.Second
	inspectEvery = time.Minute
)

// watch keeps an eye on Redis: whether it answers, and whether it still is the
// one that was given the tasks.
type watch struct {
	client  redis.UniversalClient
	kinds   []string
	alarms  Alarms
	reset   func()
	private bool // in-process: nothing to warn of

	down  atomic.Bool
	epoch string
}

// Run probes until ctx ends.
func (w *watch) Run(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	var inspected time.Time
	for {
		w.probe(ctx)
		if !w.private && !w.down.Load() && time.Since(inspected) > inspectEvery {
			inspected = time.Now()
			w.inspect(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// probe writes and reads the sentinel. Another value than last time, or having
// been away, means that tasks may be gone: all that is due is dispatched anew.
func (w *watch) probe(ctx context.Context) {
	probe, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	epoch, err := w.sentinel(probe)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		w.down.Store(true)
		w.alarms.Raise("redis_down", fmt.Sprintf("Redis does not answer: %v", err),
			"Start Redis or mend redis.url. Webhooks are still accepted; work resumes by itself.")
		return
	}
	w.alarms.Resolve("redis_down")
	w.tellPaused(probe)
	back, emptied := w.down.Swap(false), w.epoch != "" && w.epoch != epoch
	w.epoch = epoch
	if emptied {
		w.alarms.Raise("redis_emptied", "Redis has lost what it held, tasks included",
			"Nothing to do: all that is due is being queued again. Keep Redis's data (appendonly yes) to spare the delay.")
	}
	if back || emptied {
		w.reset()
	}
}

func (w *watch) sentinel(ctx context.Context) (string, error) {
	names := make([]any, len(w.kinds))
	for i, k := range w.kinds {
		names[i] = k
	}
	if len(names) > 0 {
		if err := w.client.SAdd(ctx, queuesKey, names...).Err(); err != nil {
			return "", err
		}
	}
	if err := w.client.SetNX(ctx, sentinelKey, uuid.NewString(), 0).Err(); err != nil {
		return "", err
	}
	return w.client.Get(ctx, sentinelKey).Result()
}

// tellPaused warns of queues that somebody has paused, which only the dashboard
// shows otherwise: what is due there waits without an error.
func (w *watch) tellPaused(ctx context.Context) {
	found := make([]*redis.IntCmd, len(w.kinds))
	_, err := w.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, kind := range w.kinds {
			found[i] = p.Exists(ctx, fmt.Sprintf("asynq:{%s}:paused", kind))
		}
		return nil
	})
	if err != nil {
		return // that Redis is away is the sentinel's to say
	}
	var paused []string
	for i, kind := range w.kinds {
		if found[i].Val() > 0 {
			paused = append(paused, kind)
		}
	}
	w.alarm("queue_paused", len(paused) > 0, "paused queues: "+strings.Join(paused, ", ")+"; what is due there waits",
		"Press resume beside it on the dashboard, /queues/ of admin.listen.")
}

// inspect warns of a Redis that may drop or refuse tasks. A server that does
// not tell is taken to be fine.
func (w *watch) inspect(ctx context.Context) {
	probe, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	info, err := w.client.Info(probe, "server", "memory").Result()
	if err != nil {
		return
	}
	w.alarm("redis_version", old(field(info, "redis_version")), "Redis is older than 6.2: tasks cannot be archived", "Upgrade Redis to 6.2 or newer.")
	policy := field(info, "maxmemory_policy")
	w.alarm("redis_policy", policy != "" && policy != "noeviction", "Redis evicts keys ("+policy+"): tasks may vanish until the next sweep",
		"Set maxmemory-policy to noeviction.")
}

func (w *watch) alarm(code string, on bool, text, next string) {
	if on {
		w.alarms.Raise(code, text, next)
	} else {
		w.alarms.Resolve(code)
	}
}

func field(info, name string) string {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return v
		}
	}
	return ""
}

// old reports whether version, "major.minor.patch", is below 6.2.
func old(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, err1 := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	return errors.Join(err1, err2) == nil && (a < 6 || (a == 6 && b < 2))
}
