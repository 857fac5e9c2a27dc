package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/fakediscord"
)

const (
	rights = fakediscord.ManageRoles | fakediscord.KickMembers | fakediscord.CreateInstantInvite |
		fakediscord.ManageChannels | fakediscord.ViewChannel
	token = "MTk4NjIyNDgzNDcxOTI1MjQ4.a-secret.that-nobody-may-see"
)

// world is a guild with a bot, two roles that it may give, and ada, a member.
// Grace is none yet.
type world struct {
	*fakediscord.Server
	t          *testing.T
	clock      *clock
	lanes      *lanes
	d          *Fulfiller
	guild      string
	bot        fakediscord.Role // the bot's own
	role, vip  string
	ada, grace string
}

// newWorld has no limits but those of o.
func newWorld(t *testing.T, change ...func(*fakediscord.Options, *Config)) *world {
	t.Helper()
	none := fakediscord.Window{Requests: -1}
	w := &world{t: t, clock: &clock{}, lanes: &lanes{}}
	w.lanes.clock = w.clock
	o := fakediscord.Options{
		Bot: fakediscord.Bot{Token: token}, Now: w.clock.now,
		Limits: fakediscord.Limits{MemberRoles: none, Members: none, Invites: none, Others: none, Global: none},
	}
	c := Config{Concurrency: 8}
	c.BotToken.SetSecret(token)
	for _, f := range change {
		f(&o, &c)
	}
	w.Server = fakediscord.New(o)
	server := httptest.NewServer(w.Server)
	t.Cleanup(server.Close)
	c.APIURL = server.URL + "/api/v9"
	w.d = New(c, w.lanes)
	w.d.session.now = w.clock.now
	t.Cleanup(w.d.session.api.Client.CloseIdleConnections)
	w.settle()
	return w
}

func (w *world) settle() {
	w.guild = w.NewGuild(fakediscord.Guild{Name: "Shop"}).ID
	w.role = w.NewRole(w.guild, fakediscord.Role{Name: "pro", Position: 3}).ID
	w.vip = w.NewRole(w.guild, fakediscord.Role{Name: "vip", Position: 4}).ID
	w.ada = w.NewUser(fakediscord.User{Username: "ada"}).ID
	w.grace = w.NewUser(fakediscord.User{Username: "grace"}).ID
	w.bot = w.AddBot(w.guild, rights, 10)
	w.join(w.ada)
}

func (w *world) join(user string) {
	w.t.Helper()
	if err := w.Join(w.guild, user); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) params(roles ...string) string {
	return fmt.Sprintf(`{"guild_id":%q,"role_ids":%q}`, w.guild, strings.Join(roles, ","))
}

// kicking are parameters with kick_member.
func (w *world) kicking() string {
	return fmt.Sprintf(`{"guild_id":%q,"role_id":%q,"kick_member":true}`, w.guild, w.role)
}

// owed is a fulfilment of a user as the worker hands it to Grant: all it asks for
// is held, and was not there before.
func (w *world) owed(user, params string) grant.Fulfilment {
	w.t.Helper()
	f := grant.Fulfilment{
		ID: "g1.discord", Kind: "discord",
		Grant:    grant.Grant{ID: "g1", BenefitID: "b1", CustomerID: "c1"},
		Customer: grant.Customer{ID: "c1", Email: "ada@example.com"},
		Target:   grant.Target{Kind: "discord", Origin: "config", Params: json.RawMessage(params), Managed: true},
		Account:  grant.Account{Provider: "discord", ID: user},
	}
	all, err := w.d.Resources(f)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range all {
		f.Holds = append(f.Holds, grant.Hold{Resource: r, Origin: grant.FromUs})
	}
	return f
}

// ended is the fulfilment as the worker hands it to Revoke: from the ledger, with
// no more account or target than that.
func ended(t *testing.T, f grant.Fulfilment) grant.Fulfilment {
	t.Helper()
	f.Target, f.Account = grant.Target{}, grant.Account{}
	f.Properties = viaJSON(t, f.Properties)
	f.Holds = slices.Clone(f.Holds)
	for i := range f.Holds {
		f.Holds[i].Level = 0
	}
	return f
}

func viaJSON(t *testing.T, p grant.Properties) (back grant.Properties) {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

// grant must succeed; it returns the fulfilment as it is remembered.
func (w *world) grant(f grant.Fulfilment) grant.Fulfilment {
	w.t.Helper()
	p, err := w.d.Grant(w.t.Context(), f)
	if err != nil {
		w.t.Fatalf("Grant: %v", err)
	}
	f.Properties = viaJSON(w.t, p)
	return f
}

// waits is grant for somebody who must act first.
func (w *world) waits(f grant.Fulfilment, code string) (_ grant.Fulfilment, text string) {
	w.t.Helper()
	p, err := w.d.Grant(w.t.Context(), f)
	text = want(w.t, err, fulfillers.ClassActionRequired, code, "")
	f.Properties = viaJSON(w.t, p)
	return f, text
}

func (w *world) revoke(f grant.Fulfilment) {
	w.t.Helper()
	if err := w.d.Revoke(w.t.Context(), ended(w.t, f)); err != nil {
		w.t.Fatalf("Revoke: %v", err)
	}
}

func (w *world) wantRoles(user string, want ...string) {
	w.t.Helper()
	if got := w.Roles(w.guild, user); !slices.Equal(got, want) {
		w.t.Errorf("user %s has the roles %q, want %q", user, got, want)
	}
}

func (w *world) wantMember(user string, want bool) {
	w.t.Helper()
	if _, is := w.Member(w.guild, user); is != want {
		w.t.Errorf("user %s is a member: %v, want %v", user, is, want)
	}
}

func (w *world) changes() (n int) {
	for _, r := range w.Requests() {
		if r.Method != "GET" {
			n++
		}
	}
	return n
}

// want checks an error's class and code, and that it says so; it returns all
// that the error says.
func want(t *testing.T, err error, class fulfillers.Class, code, says string) string {
	t.Helper()
	e := fulfillers.Classify(err)
	if e == nil || e.Class != class || e.Code != code || !strings.Contains(e.Error(), says) {
		t.Fatalf("error %v, want %s %s that says %q", describe(e), class, code, says)
	}
	return e.Error()
}

func describe(e *fulfillers.Error) string {
	if e == nil {
		return "nil"
	}
	return fmt.Sprintf("%s %s (%s %v): %v", e.Class, e.Code, e.Lane, e.Wait, e)
}

// throttled checks a Throttled error.
func throttled(t *testing.T, err error, lane string, wait time.Duration, says string) {
	t.Helper()
	want(t, err, fulfillers.ClassThrottled, "throttled", says)
	e := fulfillers.Classify(err)
	if e.Lane != lane || e.Wait < wait-ahead || e.Wait > wait+time.Second {
		t.Errorf("rests %s for %v, want %s for %v", e.Lane, e.Wait, lane, wait)
	}
}

// clock runs, and can be put forward.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// lanes keep what rests, as the ledger does.
type lanes struct {
	clock *clock

	mu      sync.Mutex
	resting map[string]grant.Lane
	asked   int
	broken  error
}

func (l *lanes) Pass(ctx context.Context, lane string, limits []grant.Limit, _ bool) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if len(limits) > 0 {
		return 0, fmt.Errorf("%s: limits %v", lane, limits)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return max(0, l.resting[lane].Until.Sub(l.clock.now())), l.broken
}

func (l *lanes) Pause(ctx context.Context, lane string, d time.Duration, why string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.resting == nil {
		l.resting = map[string]grant.Lane{}
	}
	l.resting[lane] = grant.Lane{Name: lane, Until: l.clock.now().Add(d), Why: why}
	return l.broken
}

// why is what a lane rests for.
func (l *lanes) why(lane string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.resting[lane].Why
}
