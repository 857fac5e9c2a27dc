package tasks

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestBrakeWaitsAfterARefusedScriptAlone(t *testing.T) {
	t.Parallel()
	refused := errors.New("ERR refused")
	after := func(b brake, args ...any) time.Duration {
		run := b.ProcessHook(func(context.Context, redis.Cmder) error { return refused })
		began := time.Now()
		if err := run(t.Context(), redis.NewCmd(t.Context(), args...)); !errors.Is(err, refused) {
			t.Errorf("%v: %v", args, err)
		}
		return time.Since(began)
	}
	if d := after(brake{20 * time.Millisecond}, "evalsha", "1"); d < 20*time.Millisecond {
		t.Errorf("a refused script is run again after %s", d)
	}
	after(brake{time.Hour}, "client", "maint_notifications", "on") // or this test never ends
}
