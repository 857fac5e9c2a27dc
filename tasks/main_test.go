package tasks

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silence{}) // it tells of every connection that is refused
	goleak.VerifyTestMain(patiently{m}, leaks)
}

// leaks does not count a closed pool's dialler, which sees that within a second,
// and so later than goleak waits.
var leaks = goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial")

// patiently runs the tests and gives asynq time to end: Shutdown does not wait
// any longer than it may for a Redis that does not answer.
type patiently struct{ *testing.M }

func (p patiently) Run() int {
	code := p.M.Run()
	for end := time.Now().Add(30 * time.Second); goleak.Find(leaks) != nil && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	return code
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}
