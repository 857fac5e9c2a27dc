package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"fulfilld/internal/fakediscord"
	"fulfilld/internal/fakegithub"
)

// What the platform's example bodies name.
const (
	demoOwner, demoRepository = "acme-inc", "private-starter-kit"
	demoGuild, demoRole       = "876543210987654321", "912345678901234567"
	demoHubber                = 583231 // on GitHub
	demoChatter               = "80351110224678912"
	demoMeter                 = "d2982d76-8d8f-4cea-ab62-070a2485598e"
)

// demoFiles are what the example of a benefit gives to download.
var demoFiles = []string{"95e42275-7df0-4a0b-bcbf-7c73cb018066", "f23fb8ad-e27b-42a3-b868-f345a2f80041"}

// world is where the demo's benefits lead: a GitHub and a Discord of its own, the
// people on them, and the merchant's server. Nobody outside hears of anything.
type world struct {
	github  *fakegithub.Server
	discord *fakediscord.Server
	signing string                // the merchant's server knows the daemon by it
	board   atomic.Pointer[board] // shows what that server was told
	repo    int64
	api     string       // the daemon's, once it runs
	token   string       // of the merchant's program
	admin   *adminClient // once the daemon runs
	environ []string
	stop    []func() error
}

func newWorld() (*world, error) {
	w := &world{github: fakegithub.New(fakegithub.Options{})}
	token := rand.Text()
	admin := w.github.AddUser(fakegithub.User{Login: "acme-admin"})
	w.github.AddOrg(fakegithub.Org{Login: demoOwner, Base: fakegithub.None})
	w.github.AddMember(demoOwner, admin, true)
	w.repo = w.github.AddRepository(fakegithub.Repository{Owner: demoOwner, Name: demoRepository})
	w.github.AddUser(fakegithub.User{ID: demoHubber, Login: "octocat"})
	w.github.AddToken(admin, token, time.Time{})

	w.discord = fakediscord.New(fakediscord.Options{Bot: fakediscord.Bot{Token: rand.Text()}})
	w.discord.NewGuild(fakediscord.Guild{ID: demoGuild, Name: "ACME"})
	w.discord.NewRole(demoGuild, fakediscord.Role{ID: demoRole, Name: "Pro", Position: 1})
	w.discord.AddBot(demoGuild, fakediscord.ManageRoles|fakediscord.CreateInstantInvite|fakediscord.ViewChannel, 5)
	w.discord.NewUser(fakediscord.User{ID: demoChatter, Username: "barbara"})

	hub, err := w.listen(w.github)
	if err != nil {
		return nil, err
	}
	chat, err := w.listen(w.discord)
	w.token = rand.Text()
	if err != nil {
		return nil, err
	}
	merchant, err := w.listen(http.HandlerFunc(w.told))
	w.signing = newSecret()
	w.environ = []string{
		"FULFILLD_FULFILLERS_CUSTOM_URL=" + merchant,
		"FULFILLD_FULFILLERS_CUSTOM_SECRETS=" + w.signing,
		"FULFILLD_FULFILLERS_CUSTOM_ALLOW_PRIVATE=127.0.0.1",
		"FULFILLD_FULFILLERS_GITHUB_REPOSITORY_TOKEN=" + token,
		"FULFILLD_FULFILLERS_GITHUB_REPOSITORY_ALLOW=" + demoOwner + "/*",
		"FULFILLD_FULFILLERS_GITHUB_REPOSITORY_API_URL=" + hub + "/",
		"FULFILLD_FULFILLERS_DISCORD_BOT_TOKEN=" + w.discord.Bot().Token,
		"FULFILLD_FULFILLERS_DISCORD_ALLOW=" + demoGuild,
		"FULFILLD_FULFILLERS_DISCORD_API_URL=" + chat + "/api/v9/",
		"FULFILLD_FULFILLERS_METER_CREDIT_METERS=[{id: " + demoMeter + ", name: API calls, event: api_call, units: calls}]",
		"FULFILLD_FULFILLERS_FEATURE_FLAG_CONCURRENCY=4",
		"FULFILLD_TOKENS=[{name: program, token: " + w.token + ", scopes: ['events:write']}]",
		"FULFILLD_FULFILLERS_DOWNLOADABLES_CONCURRENCY=4",
		"FULFILLD_SETTLE=1s",
	}
	return w, err
}

// told is the merchant's server.
func (w *world) told(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	hook, bad := standardwebhooks.NewWebhook(w.signing)
	if errors.Join(err, bad) != nil || hook.Verify(body, r.Header) != nil {
		http.Error(rw, "not verified", http.StatusUnauthorized)
		return
	}
	var e struct {
		Type string
		Data struct{ Customer struct{ Name string } }
	}
	_ = json.Unmarshal(body, &e) // it is signed
	if b := w.board.Load(); b != nil {
		b.hears(fmt.Sprintf("your server is told %s: %s", e.Type, e.Data.Customer.Name))
	}
}

func (w *world) listen(h http.Handler) (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.Serve(l) }() // it ends with the demo
	w.stop = append(w.stop, s.Close)
	return "http://" + l.Addr().String(), nil
}

func (w *world) close() (err error) {
	for _, stop := range w.stop {
		err = errors.Join(err, stop())
	}
	return err
}

// acceptInvitation is what the person on GitHub does, once there is one.
func (w *world) acceptInvitation(ctx context.Context) error {
	return once(ctx, "an invitation on GitHub", func() (bool, error) {
		for _, i := range w.github.Invitations(w.repo) {
			return true, w.github.Accept(i.ID)
		}
		return false, nil
	})
}

// joinServer is what the person on Discord does.
func (w *world) joinServer(ctx context.Context) error {
	return once(ctx, "an invitation on Discord", func() (bool, error) {
		for _, i := range w.discord.Invites(demoGuild) {
			return true, w.discord.JoinBy(i.Code, demoChatter)
		}
		return false, nil
	})
}

// useCredits is what Alan's program does, once there are credits.
func (w *world) useCredits(ctx context.Context) error {
	body := `{"events":[{"name":"api_call","customer_id":"` + alan.customer + `","external_id":"demo-1","metadata":{"calls":250}}]}`
	return once(ctx, "credits", func() (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.api+"/v1/events/ingest", strings.NewReader(body))
		if err != nil {
			return false, err
		}
		req.Header.Set("Authorization", "Bearer "+w.token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, err
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	})
}

// putFiles is what the merchant does.
func (w *world) putFiles(ctx context.Context) error {
	for i, id := range demoFiles {
		text := fmt.Sprintf("This is file %d of the demo.\n", i+1)
		p := putting{id: id, name: fmt.Sprintf("demo-%d.txt", i+1), mimeType: "text/plain"}
		if _, err := w.admin.put(ctx, p.announcement("", int64(len(text)), ""), strings.NewReader(text), int64(len(text))); err != nil {
			return err
		}
	}
	return nil
}

// once does something as soon as it can be done.
func once(ctx context.Context, what string, do func() (done bool, err error)) error {
	for {
		if done, err := do(); done || err != nil {
			return err
		}
		select {
		case <-time.After(refresh):
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
}
