package fakediscord_test

import (
	"strconv"
	"testing"
	"time"

	"fulfilld/internal/fakediscord"
)

func TestALimitIsToldBeforeItIsHit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limits(fakediscord.Limits{MemberRoles: fakediscord.Window{Requests: 2, Per: 10 * time.Second}}))
	path := w.rolePath(w.ada, w.role)
	first := w.do("PUT", path, "").header
	w.clock.move(2500 * time.Millisecond)
	second := w.do("DELETE", path, "").header // taking is in the same bucket
	for name, want := range map[string][2]string{
		"X-RateLimit-Limit":       {"2", "2"},
		"X-RateLimit-Remaining":   {"1", "0"},
		"X-RateLimit-Reset-After": {"10.000", "7.500"},
		"X-RateLimit-Reset":       {"1795262410.000", "1795262410.000"},
	} {
		if got := [2]string{first.Get(name), second.Get(name)}; got != want {
			t.Errorf("%s: %v; want %v", name, got, want)
		}
	}
	if b := first.Get("X-RateLimit-Bucket"); b == "" || b != second.Get("X-RateLimit-Bucket") {
		t.Errorf("buckets %q and %q", b, second.Get("X-RateLimit-Bucket"))
	}
	w.expectLimited(path)
}

func (w *world) expectLimited(path string) {
	w.t.Helper()
	r := w.do("PUT", path, "")
	if r.status != 429 || r.body["retry_after"] != 7.5 || r.body["global"] != false || r.header.Get("Retry-After") != "8" ||
		r.header.Get("X-RateLimit-Scope") != "user" || r.header.Get("X-RateLimit-Remaining") != "0" {
		w.t.Errorf("%d %s %v", r.status, r.text, r.header)
	}
	if w.Violations() != 1 || w.InvalidRequests() != 1 {
		w.t.Errorf("%d violations, %d invalid", w.Violations(), w.InvalidRequests())
	}
	other := w.NewGuild(fakediscord.Guild{})
	w.AddBot(other.ID, allThatWeNeed, botPosition)
	w.expect("PUT", "/guilds/"+other.ID+"/members/"+w.ada+"/roles/"+w.role, "", 404, 10007) // its own window
	w.clock.move(7500 * time.Millisecond)
	w.expect("PUT", path, "", 204, 0)
}

func TestTheGlobalLimitIsEachBots(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limits(fakediscord.Limits{Others: fakediscord.Window{Requests: -1}}))
	w.NewBot(fakediscord.Bot{Token: "second"})
	for range 50 {
		w.expect("GET", "/users/@me", "", 200, 0)
	}
	r := w.do("GET", w.guildPath(), "")
	if r.status != 429 || r.body["global"] != true || r.body["retry_after"] != 1. || r.header.Get("Retry-After") != "1" {
		t.Errorf("%d %s", r.status, r.text)
	}
	h := r.header
	if h.Get("X-RateLimit-Global") != "true" || h.Get("X-RateLimit-Scope") != "global" || h.Get("X-RateLimit-Reset-After") != "" {
		t.Errorf("%v", h)
	}
	if other := w.do("GET", "/users/@me", "", "Authorization", "Bot second"); other.status != 200 {
		t.Errorf("another bot: %d %s", other.status, other.text)
	}
	w.clock.move(time.Second)
	w.expect("GET", "/users/@me", "", 200, 0)
}

func TestTooManyInvalidRequestsEndInABan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limits(fakediscord.Limits{Invalid: fakediscord.Window{Requests: 3, Per: minute}}))
	good := w.token
	w.token = "Bot wrong"
	for range 4 {
		w.expect("GET", "/users/@me", "", 401, 0)
	}
	w.token = good
	for range 2 {
		r := w.do("GET", "/users/@me", "")
		if r.status != 429 || r.text != "error code: 1015" || r.header.Get("Retry-After") != "600" || r.body != nil {
			t.Errorf("%d %q %v", r.status, r.text, r.header)
		}
	}
	if n := w.InvalidRequests(); n != 4 {
		t.Errorf("%d invalid", n)
	}
	w.clock.move(10 * minute)
	w.expect("GET", "/users/@me", "", 200, 0)
}

func TestInvalidRequestsAreForgottenInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limits(fakediscord.Limits{Invalid: fakediscord.Window{Requests: 3, Per: minute}}))
	for range 3 {
		w.expect("GET", "/guilds/"+w.guild.ID+"/invites", "", 403, 50013)
	}
	w.clock.move(minute)
	w.expect("GET", "/guilds/"+w.guild.ID+"/invites", "", 403, 50013)
	w.expect("GET", "/users/@me", "", 200, 0)
}

func TestTimeFactorShortensWindows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *fakediscord.Options) { o.TimeFactor = 100 })
	r := w.do("GET", w.memberPath(w.ada), "")
	after, err := strconv.ParseFloat(r.header.Get("X-RateLimit-Reset-After"), 64)
	if err != nil || after != 0.1 {
		t.Errorf("%v, %v", after, err)
	}
}
