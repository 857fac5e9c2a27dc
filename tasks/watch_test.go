//go:build unix

package tasks

import (
	"strings"
	"testing"
)

func TestAPausedQueueRaisesAnAlarm(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		s := newStage(t, url)
		w := &watch{client: s.client, kinds: []string{"door", "lamp"}, alarms: s.alarms, reset: func() {}}
		inspector := s.inspector()
		for _, c := range []struct {
			step func(string) error
			kind string
			says string // empty: no alarm
		}{
			{step: func(string) error { return nil }},
			{inspector.PauseQueue, "lamp", "queues: lamp;"},
			{inspector.PauseQueue, "door", "queues: door, lamp;"},
			{inspector.UnpauseQueue, "lamp", "queues: door;"},
			{step: inspector.UnpauseQueue, kind: "door"},
		} {
			if err := c.step(c.kind); err != nil {
				t.Fatal(err)
			}
			w.probe(t.Context())
			text := s.alarms.now["queue_paused"]
			if s.alarms.stands("queue_paused") != (c.says != "") || !strings.Contains(text, c.says) {
				t.Errorf("%s: the alarm says %q, want %q", c.kind, text, c.says)
			}
		}
	})
}
