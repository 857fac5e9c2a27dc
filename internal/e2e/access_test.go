//go:build unix

package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fulfilld/internal/fakediscord"
	"fulfilld/internal/fakegithub"
	"fulfilld/internal/testserver"
)

const botToken = "e2e-bot-token-that-nobody-may-see"

// outside is GitHub and Discord, and a daemon that uses both: a repository and a
// role are behind benefit 0, and the repository behind benefit 1.
type outside struct {
	*daemon
	config, key string // files of every daemon
	github      *fakegithub.Server
	discord     *fakediscord.Server
	repo        int64
	guild, role string
	people      map[int]person // by grant
}

// person has an account at each.
type person struct {
	github  int64
	login   string
	discord string
}

func newOutside(t *testing.T, ledger, redis string) *outside {
	t.Helper()
	w := &outside{people: map[int]person{}}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	app := w.hub(&key.PublicKey)
	w.chat()
	hub, chat := httptest.NewServer(w.github), httptest.NewServer(w.discord)
	t.Cleanup(hub.Close)
	t.Cleanup(chat.Close)
	w.key = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	w.config = fmt.Sprintf(`
settle: 1s
fulfillers:
  github_repository: { app_id: %d, private_key_file: app.pem, api_url: "%s", limits: { spacing: 1ms } }
  discord: { bot_token: %s, api_url: "%s/api/v9/" }
benefits:
  - id: %s
    fulfill:
      - { kind: github_repository, repositories: [acme/pro], permission: pull }
      - { kind: discord, guild_id: "%s", role_ids: ["%s"] }
  - id: %s
    fulfill: [ { kind: github_repository, repositories: [acme/pro], permission: pull } ]
`, app, hub.URL, botToken, chat.URL, number("benefit", 0), w.guild, w.role, number("benefit", 1))
	w.daemon = w.another(t, ledger, redis)
	return w
}

// another prepares one more daemon that uses the same GitHub and Discord.
func (w *outside) another(t *testing.T, ledger, redis string) *daemon {
	t.Helper()
	d := newDaemon(t, ledger, redis)
	for name, text := range map[string]string{"app.pem": w.key, "fulfilld.yaml": w.config} {
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (w *outside) hub(key *rsa.PublicKey) (app int64) {
	w.github = fakegithub.New(fakegithub.Options{Limits: fakegithub.Limits{Content: -1, ContentHourly: -1, Points: -1, Invitations: -1}})
	w.github.AddOrg(fakegithub.Org{Login: "acme", Base: fakegithub.None})
	w.repo = w.github.AddRepository(fakegithub.Repository{Owner: "acme", Name: "pro"})
	app = w.github.AddApp(fakegithub.App{Owner: "acme", Key: key})
	w.github.Install(fakegithub.Installation{App: app, Account: "acme", Repositories: []int64{w.repo},
		Permissions: map[string]string{"administration": "write", "metadata": "read"}})
	return app
}

func (w *outside) chat() {
	none := fakediscord.Window{Requests: -1}
	w.discord = fakediscord.New(fakediscord.Options{Bot: fakediscord.Bot{Token: botToken},
		Limits: fakediscord.Limits{Global: none, MemberRoles: none, Members: none, Invites: none, Others: none}})
	w.guild = w.discord.NewGuild(fakediscord.Guild{Name: "Acme"}).ID
	w.role = w.discord.NewRole(w.guild, fakediscord.Role{Name: "pro", Position: 1}).ID
	w.discord.AddBot(w.guild, fakediscord.ManageRoles|fakediscord.CreateInstantInvite|fakediscord.ViewChannel, 5)
}

// person makes who buys the nth grant.
func (w *outside) person(n int) person {
	p := person{login: fmt.Sprint("buyer-", n)}
	p.github = w.github.AddUser(fakegithub.User{Login: p.login})
	p.discord = w.discord.NewUser(fakediscord.User{Username: p.login}).ID
	w.people[n] = p
	return p
}

// link tells fulfilld of a customer's accounts.
func (w *outside) link(n int) {
	w.t.Helper()
	p, customer := w.people[n], number("customer", n/2)
	w.command("customers", "link", customer, "github:"+p.login).says(0, fmt.Sprint(p.github))
	w.command("customers", "link", customer, "discord:"+p.discord).says(0, p.discord)
}

// outsiders are grants of benefit 0, each of another customer.
func outsiders(n int) (grants []int) {
	for i := range n {
		grants = append(grants, i*10)
	}
	return grants
}

func (w *outside) has(n int) error {
	p := w.people[n]
	if role, ok := w.github.Collaborator(w.repo, p.github); !ok || role != fakegithub.Read {
		return fmt.Errorf("%s is no collaborator (%v)", p.login, role)
	}
	if roles := w.discord.Roles(w.guild, p.discord); len(roles) != 1 {
		return fmt.Errorf("%s has the roles %v", p.login, roles)
	}
	return w.shows(n, "granted")
}

func (w *outside) hasNothing(n int) error {
	p := w.people[n]
	if role, ok := w.github.Collaborator(w.repo, p.github); ok {
		return fmt.Errorf("%s is a collaborator still (%v)", p.login, role)
	}
	for _, i := range w.github.Invitations(w.repo) {
		if i.Invitee == p.github {
			return fmt.Errorf("%s is invited still", p.login)
		}
	}
	if roles := w.discord.Roles(w.guild, p.discord); len(roles) != 0 {
		return fmt.Errorf("%s has the roles %v", p.login, roles)
	}
	return w.shows(n, "revoked")
}

// accept has everybody who is invited accept.
func (w *outside) accept() {
	for _, i := range w.github.Invitations(w.repo) {
		_ = w.github.Accept(i.ID) // it may be gone meanwhile
	}
}

func TestAccessFromPurchaseToEnd(t *testing.T) {
	t.Parallel()
	w := newOutside(t, "", "")
	w.start()
	w.command("check", "--online").says(0, "github_repository", "discord")
	shop := newPlatform(w.daemon)
	p := w.person(0)
	shop.send(t, buys(0))
	within(t, patience, "waits for an account", func() error { return w.shows(0, "waiting") })
	w.link(0)
	w.eventually("invited", func() error {
		if all := w.github.Invitations(w.repo); len(all) != 1 || all[0].Invitee != p.github {
			return fmt.Errorf("invitations %+v", all)
		}
		return nil
	})
	w.command("grants", "show", grantID(0)).says(0, "invited")
	var shown struct {
		Properties struct {
			InvitationURL string `json:"invitation_url"`
		}
	}
	if err := w.api("GET", "/v1/benefit-grants/"+grantID(0), &shown); err != nil || !strings.Contains(shown.Properties.InvitationURL, "acme/pro") {
		t.Errorf("the grant's invitation_url is %q, %v", shown.Properties.InvitationURL, err)
	}
	w.accept()
	w.eventually("asked to join", func() error {
		if all := w.discord.Invites(w.guild); len(all) != 1 {
			return fmt.Errorf("invites %+v", all)
		}
		return nil
	})
	if err := w.discord.JoinBy(w.discord.Invites(w.guild)[0].Code, p.discord); err != nil {
		t.Fatal(err)
	}
	w.command("grants", "retry", grantID(0)).says(0)
	w.eventually("granted", func() error { return w.has(0) })
	w.command("customers", "show", number("customer", 0)).says(0, p.login, p.discord)
	shop.send(t, fact{typ: "revoked", grant: 0, word: "revoked", at: time.Now()}.webhook())
	w.eventually("revoked", func() error { return w.hasNothing(0) })
	w.kill()
	w.spillsNothing(openLedger(t, "sqlite://"+filepath.Join(w.dir, "fulfilld.db")))
}

// spillsNothing looks for secrets and addresses in the log, and in all that the
// ledger keeps of attempts, errors and lanes.
func (w *outside) spillsNothing(db *sql.DB) {
	w.t.Helper()
	said := []string{w.log.String()}
	for _, q := range []string{
		`SELECT code || ' ' || detail FROM attempts`,
		`SELECT error_code || ' ' || error_text || ' ' || properties || ' ' || applied || ' ' || because FROM fulfilments`,
		`SELECT name || ' ' || why FROM lanes`, `SELECT lane || ' ' || who FROM passes`, `SELECT name || ' ' || words FROM identities`,
	} {
		rows, err := db.Query(q)
		if err != nil {
			w.t.Fatal(err)
		}
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				w.t.Fatal(err)
			}
			said = append(said, text)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			w.t.Fatal(err)
		}
	}
	if len(said) < 10 {
		w.t.Errorf("only %d texts were looked at", len(said))
	}
	for _, secret := range []string{botToken, "ghs_", "eyJ", "PRIVATE KEY", "@e2e.example", webhookSecret[len("whsec_"):], adminToken} {
		for _, text := range said {
			if strings.Contains(text, secret) {
				w.t.Errorf("%q is in %.300s", secret, text)
			}
		}
	}
}

// TestAChangeOfPlanFromTwoDaemons has a grant end while another of the same
// repository begins, each told to another daemon: access never blinks, for then
// GitHub would delete the person's fork.
func TestAChangeOfPlanFromTwoDaemons(t *testing.T) {
	t.Parallel()
	redis, url := testserver.Redis(t, `save ""`).URL(), testserver.Postgres(t)
	w := newOutside(t, url, redis)
	other := w.another(t, url, redis)
	for _, d := range []*daemon{w.daemon, other} {
		d.env = append(d.env, "FULFILLD_SETTLE=15s") // both halves come within it, also on a slow machine
		d.start()
	}
	here, there := newPlatform(w.daemon), newPlatform(other)
	for i, first := range []string{"the old ends first", "the new begins first"} {
		old, new := i*20, i*20+1 // of one customer
		p := w.person(old)
		w.people[new] = p
		if err := w.discord.Join(w.guild, p.discord); err != nil {
			t.Fatal(err)
		}
		here.send(t, buys(old))
		w.eventually("known", func() error { return w.shows(old, "waiting") })
		w.link(old)
		w.eventually(first, func() error {
			w.accept()
			w.command("grants", "retry", grantID(old))
			return w.has(old)
		})
		fork := w.github.Fork(w.repo, p.github)
		ends := fact{typ: "revoked", grant: old, word: "revoked", at: time.Now()}.webhook()
		if i == 0 {
			here.send(t, ends)
			there.send(t, buys(new))
		} else {
			there.send(t, buys(new))
			here.send(t, ends)
		}
		w.eventually(first, func() error { return errors.Join(w.shows(new, "granted"), w.shows(old, "revoked")) })
		if _, ok := w.github.Collaborator(w.repo, p.github); !ok {
			t.Errorf("%s: no access", first)
		}
		if !slices.Contains(w.github.Forks(w.repo), fork) {
			t.Errorf("%s: the fork is gone", first)
		}
		if n := len(w.github.Requests(fakegithub.Match{Method: "DELETE", Path: "/repos/acme/pro/collaborators/" + p.login})); n != 0 {
			t.Errorf("%s: removed %d times", first, n)
		}
		if roles := w.discord.Roles(w.guild, p.discord); len(roles) != 0 {
			t.Errorf("%s: has the role %v still, which the new plan has not", first, roles)
		}
	}
}

// TestKilledWhileProvidersAct kills the daemon again and again while GitHub and
// Discord do what it asked for: nobody is invited twice, nobody keeps access,
// and what fulfilld gave is not taken for somebody's own.
func TestKilledWhileProvidersAct(t *testing.T) {
	t.Parallel()
	w := newOutside(t, "", testserver.Redis(t, `save ""`).URL())
	w.start()
	shop := newPlatform(w.daemon)
	grants := outsiders(12)
	for _, n := range grants {
		p := w.person(n)
		if err := w.discord.Join(w.guild, p.discord); err != nil {
			t.Fatal(err)
		}
		shop.send(t, buys(n))
	}
	owner := w.people[0] // had access before, and keeps it
	w.github.AddByHand(w.repo, owner.github, fakegithub.Read)
	w.discord.AddRoleByHand(w.guild, owner.discord, w.role)
	for _, n := range grants {
		within(t, patience, "known", func() error { return w.shows(n, "waiting") })
		w.link(n)
	}
	w.killing(5, func() {
		w.accept()
	})
	w.eventually("all granted", func() error {
		w.accept()
		w.command("grants", "retry", grantID(grants[len(grants)-1]))
		for _, n := range grants {
			if err := w.has(n); err != nil {
				if err := w.api("POST", "/v1/benefit-grants/"+grantID(n)+"/retry", nil); err != nil {
					return err
				}
				return err
			}
		}
		return nil
	})
	for _, n := range grants[1:] {
		put := fakegithub.Match{Method: "PUT", Path: "/repos/acme/pro/collaborators/" + w.people[n].login}
		invited := 0
		for _, r := range w.github.Requests(put) {
			if r.Status == 201 {
				invited++
			}
		}
		if invited != 1 {
			t.Errorf("%s was invited %d times", w.people[n].login, invited)
		}
	}
	for _, n := range grants {
		shop.send(t, fact{typ: "revoked", grant: n, word: "revoked", at: time.Now()}.webhook())
	}
	w.killing(5, func() {})
	w.eventually("all revoked", func() error {
		for _, n := range grants[1:] {
			if err := w.hasNothing(n); err != nil {
				return err
			}
		}
		return w.shows(0, "revoked")
	})
	if _, ok := w.github.Collaborator(w.repo, owner.github); !ok || len(w.discord.Roles(w.guild, owner.discord)) != 1 {
		t.Error("what was there before is gone")
	}
}

// killing has the daemon die so many times, right after it has changed something
// at a provider.
func (w *outside) killing(times int, between func()) {
	w.t.Helper()
	changes := func() int {
		return len(w.github.Requests(fakegithub.Match{Method: "PUT"})) + len(w.github.Requests(fakegithub.Match{Method: "DELETE"})) +
			w.discord.Count(fakediscord.Match{Method: "PUT"}) + w.discord.Count(fakediscord.Match{Method: "DELETE"})
	}
	for range times {
		had := changes()
		for deadline := time.Now().Add(3 * time.Second); changes() == had && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		w.kill()
		between()
		w.start()
	}
}
