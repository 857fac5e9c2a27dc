package fakediscord_test

import (
	"fmt"
	"strings"
	"testing"

	"fulfilld/internal/fakediscord"
)

func TestTheJournalTellsAllButTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do("PUT", w.rolePath(w.ada, w.role), "", "X-Audit-Log-Reason", "grant%201")
	w.do("GET", "/users/@me", "", "Authorization", "Bot another-secret")
	got := w.Requests()
	want := fakediscord.Request{
		Method: "PUT", Path: w.rolePath(w.ada, w.role), Status: 204, At: w.clock.now(), Reason: "grant 1", Routed: true,
	}
	if len(got) != 2 || got[0] != want || got[1].Status != 401 {
		t.Errorf("%+v", got)
	}
	if text := fmt.Sprintf("%+v", got); strings.Contains(text, fakediscord.DefaultToken) || strings.Contains(text, "secret") {
		t.Errorf("a token is in %s", text)
	}
	if n := w.Count(aRole); n != 1 {
		t.Errorf("%d", n)
	}
	if n := w.Count(fakediscord.Match{Path: "/guilds/*/bans/*"}); n != 0 {
		t.Errorf("%d", n)
	}
}

func TestTheJournalForgetsTheOldest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *fakediscord.Options) { o.Keep = 3 })
	for i := range 10 {
		w.do("GET", fmt.Sprintf("/users/%d", i+1), "")
	}
	got := w.Requests()
	if len(got) < 3 || len(got) > 5 {
		t.Errorf("%+v", got)
	}
	for i, r := range got {
		if want := fmt.Sprintf("/users/%d", 10-len(got)+i+1); r.Path != want {
			t.Errorf("%s; want %s", r.Path, want)
		}
	}
}
