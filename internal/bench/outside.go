package main

import (
	crypto "crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fulfilld/internal/fakediscord"
	"fulfilld/internal/fakegithub"
)

const (
	lanesEach    = 20          // installations of the App, and guilds
	repositories = 50          // of all installations
	thinksFor    = time.Second // who is invited, before accepting
)

// outside is where access is sold: a GitHub and a Discord in this process, with
// the limits they document.
type outside struct {
	factor    float64 // their limits' windows are that many times shorter
	github    *fakegithub.Server
	discord   *fakediscord.Server
	app       int64
	key       *rsa.PrivateKey
	repos     []int64
	guilds    []string
	providers [2]*provider
	buyers    []*buyer // of both, in the order in which they buy
	stop      []func() error
}

func newOutside(factor float64) (w *outside, err error) {
	w = &outside{
		factor:  factor,
		github:  fakegithub.New(fakegithub.Options{TimeFactor: factor}),
		discord: fakediscord.New(fakediscord.Options{TimeFactor: factor, Bot: fakediscord.Bot{Token: crypto.Text()}}),
	}
	if w.key, err = rsa.GenerateKey(crypto.Reader, 2048); err != nil {
		return nil, err
	}
	w.providers = [2]*provider{w.hub(), w.chat()}
	for _, p := range w.providers {
		w.buyers = append(w.buyers, p.buyers...)
		if err := w.listen(p); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	order := rand.New(rand.NewPCG(1, 2)) // the same in every run
	order.Shuffle(len(w.buyers), func(i, j int) { w.buyers[i], w.buyers[j] = w.buyers[j], w.buyers[i] })
	return w, nil
}

// hub fills GitHub: each lane is an organisation with an installation of the App.
// GitHub asks for a second between two writes, which is less than its 80 a minute.
func (w *outside) hub() *provider {
	p := &provider{name: "GitHub", kind: "github_repository", spy: newSpy(w.github), limit: 1, window: w.span(time.Second)}
	p.violations = func() int {
		v := w.github.Violations()
		return v.Primary + v.Content + v.ContentHourly + v.Points + v.Concurrent + v.Invitations + v.Early
	}
	for lane := range lanesEach {
		w.github.AddOrg(fakegithub.Org{Login: org(lane), Base: fakegithub.None})
	}
	w.app = w.github.AddApp(fakegithub.App{Owner: org(0), Key: &w.key.PublicKey})
	for lane := range lanesEach {
		w.github.Install(fakegithub.Installation{App: w.app, Account: org(lane), Permissions: map[string]string{"administration": "write"}})
	}
	for n := range repositories {
		w.repos = append(w.repos, w.github.AddRepository(fakegithub.Repository{Owner: org(n % lanesEach), Name: fmt.Sprint("repo-", n)}))
	}
	for n := range grantsEach {
		p.buyers = append(p.buyers, w.hubber(n))
	}
	return p
}

func org(lane int) string { return fmt.Sprint("org-", lane) }

// hubber buys access to one of the repositories of a lane, by turns.
func (w *outside) hubber(n int) *buyer {
	lane, login := n%lanesEach, fmt.Sprint("buyer-", n)
	own := (repositories-1-lane)/lanesEach + 1 // repositories of the lane
	at := lane + n/lanesEach%own*lanesEach
	user := w.github.AddUser(fakegithub.User{Login: login})
	name := fmt.Sprint("repo-", at)
	b := newBuyer("github_repository", fmt.Sprint(user), lane, map[string]any{
		"repository_owner": org(lane), "repository_name": name, "permission": "pull",
	})
	b.path = fmt.Sprintf("/repos/%s/%s/collaborators/%s", org(lane), name, login)
	b.has = func() bool {
		_, ok := w.github.Collaborator(w.repos[at], user)
		for _, i := range w.github.Invitations(w.repos[at]) {
			ok = ok || i.Invitee == user
		}
		return ok
	}
	return b
}

// chat fills Discord: each lane is a guild that its buyers have joined.
func (w *outside) chat() *provider {
	p := &provider{name: "Discord", kind: "discord", spy: newSpy(w.discord), limit: 10, window: w.span(10 * time.Second)}
	p.violations, p.reads = w.discord.Violations, true
	var roles []string
	for lane := range lanesEach {
		guild := w.discord.NewGuild(fakediscord.Guild{Name: fmt.Sprint("guild-", lane)}).ID
		w.guilds = append(w.guilds, guild)
		roles = append(roles, w.discord.NewRole(guild, fakediscord.Role{Name: "pro", Position: 1}).ID)
		w.discord.AddBot(guild, fakediscord.ManageRoles|fakediscord.CreateInstantInvite|fakediscord.ViewChannel, 5)
	}
	for n := range grantsEach {
		p.buyers = append(p.buyers, w.chatter(n%lanesEach, roles[n%lanesEach]))
	}
	return p
}

func (w *outside) chatter(lane int, role string) *buyer {
	guild, user := w.guilds[lane], w.discord.NewUser(fakediscord.User{}).ID
	if err := w.discord.Join(guild, user); err != nil {
		panic(err) // a new guild takes everybody
	}
	b := newBuyer("discord", user, lane, map[string]any{"guild_id": guild, "role_id": role})
	b.read = fmt.Sprintf("/api/v9/guilds/%s/members/%s", guild, user)
	b.path = b.read + "/roles/" + role
	b.has = func() bool { return len(w.discord.Roles(guild, user)) > 0 }
	return b
}

// accept has everybody accept who was invited a while ago.
func (w *outside) accept() {
	for _, repo := range w.repos {
		for _, i := range w.github.Invitations(repo) {
			if time.Since(i.Created) > thinksFor {
				_ = w.github.Accept(i.ID) // it may have been withdrawn meanwhile
			}
		}
	}
}

func (w *outside) listen(p *provider) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.url = "http://" + l.Addr().String()
	s := &http.Server{Handler: p.spy, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.Serve(l) }() // it ends with the run
	w.stop = append(w.stop, s.Close)
	return nil
}

func (w *outside) close() (err error) {
	for _, stop := range w.stop {
		err = errors.Join(err, stop())
	}
	return err
}

// environ is what the daemon is told of the world. Of its own limits GitHub's
// can be told that time runs faster; Discord's 45 calls a second cannot.
func (w *outside) environ(dir string, concurrency int) ([]string, error) {
	file := filepath.Join(dir, "app.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(w.key)})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	const hub, chat = "FULFILLD_FULFILLERS_GITHUB_REPOSITORY_", "FULFILLD_FULFILLERS_DISCORD_"
	all := []string{
		"FULFILLD_SETTLE=" + settle.String(),
		hub + "APP_ID=" + fmt.Sprint(w.app), hub + "PRIVATE_KEY_FILE=" + file,
		hub + "API_URL=" + w.providers[0].url + "/", hub + "ALLOW=" + w.allowed(),
		chat + "BOT_TOKEN=" + w.discord.Bot().Token,
		chat + "API_URL=" + w.providers[1].url + "/api/v9/", chat + "ALLOW=" + strings.Join(w.guilds, ","),
	}
	if w.factor != 1 {
		all = append(all, hub+"LIMITS_SPACING="+w.span(time.Second).String(),
			hub+"LIMITS_WRITES_PER_MINUTE="+fmt.Sprint(int(80*w.factor)), hub+"LIMITS_WRITES_PER_HOUR="+fmt.Sprint(int(500*w.factor)))
	}
	if concurrency > 0 {
		all = append(all, fmt.Sprint(hub, "CONCURRENCY=", concurrency), fmt.Sprint(chat, "CONCURRENCY=", concurrency))
	}
	return all, nil
}

func (w *outside) allowed() string {
	var all []string
	for lane := range lanesEach {
		all = append(all, org(lane)+"/*")
	}
	return strings.Join(all, ",")
}

func (w *outside) span(d time.Duration) time.Duration { return time.Duration(float64(d) / w.factor) }
