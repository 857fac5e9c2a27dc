package fakediscord_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"fulfilld/internal/fakediscord"
)

const (
	allThatWeNeed = fakediscord.ManageRoles | fakediscord.KickMembers | fakediscord.CreateInstantInvite
	botPosition   = 10
)

// world is a guild with a bot, a role the bot may give and one member.
type world struct {
	*fakediscord.Server
	t     *testing.T
	url   string
	clock *clock
	token string
	guild fakediscord.Guild
	role  string
	ada   string // a member
	grace string // not a member
}

func newWorld(t *testing.T, change ...func(*fakediscord.Options)) *world {
	t.Helper()
	c := &clock{at: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	o := fakediscord.Options{Now: c.now}
	for _, f := range change {
		f(&o)
	}
	s := fakediscord.New(o)
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	w := &world{Server: s, t: t, url: h.URL, clock: c, token: "Bot " + fakediscord.DefaultToken}
	w.guild = s.NewGuild(fakediscord.Guild{Name: "Shop"})
	w.role = s.NewRole(w.guild.ID, fakediscord.Role{Name: "pro", Position: 3}).ID
	w.ada = s.NewUser(fakediscord.User{Username: "ada", GlobalName: "Ada"}).ID
	w.grace = s.NewUser(fakediscord.User{Username: "grace"}).ID
	s.AddBot(w.guild.ID, allThatWeNeed, botPosition)
	if err := s.Join(w.guild.ID, w.ada); err != nil {
		t.Fatal(err)
	}
	return w
}

func limits(l fakediscord.Limits) func(*fakediscord.Options) {
	return func(o *fakediscord.Options) { o.Limits = l }
}

// reply is a response, read.
type reply struct {
	status int
	header http.Header
	text   string
	body   map[string]any // nil unless the text is a JSON object
}

func (r reply) code() float64 {
	code, _ := r.body["code"].(float64)
	return code
}

// do sends a request and expects an answer. The body may be "".
func (w *world) do(method, path, body string, header ...string) reply {
	w.t.Helper()
	r, err := w.try(method, path, body, header...)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

func (w *world) try(method, path, body string, header ...string) (reply, error) {
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+"/api/v9"+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", w.token)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return send(req)
}

func send(req *http.Request) (reply, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	r := reply{status: res.StatusCode, header: res.Header, text: string(text)}
	_ = json.Unmarshal(text, &r.body) // where it is none, the test looks at the text
	return r, err
}

func (w *world) guildPath() string { return "/guilds/" + w.guild.ID }

func (w *world) memberPath(user string) string { return w.guildPath() + "/members/" + user }

func (w *world) rolePath(user, role string) string { return w.memberPath(user) + "/roles/" + role }

// expect asks and looks at the status and Discord's code, 0 for none.
func (w *world) expect(method, path, body string, status int, code float64) reply {
	w.t.Helper()
	r := w.do(method, path, body)
	if r.status != status || r.code() != code {
		w.t.Errorf("%s %s: %d %s; want %d, code %v", method, path, r.status, r.text, status, code)
	}
	return r
}

// clock is moved by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
