package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/hibiken/asynqmon"

	"fulfilld/config"
	"fulfilld/handlers"
	"fulfilld/tasks"
)

// adminToken returns the configured token, or one made on the first start and
// kept beside the ledger, readable by its owner only.
func adminToken(cfg *config.Config) (token, madeAt string, err error) {
	if t := cfg.Admin.Token.Reveal(); t != "" {
		return t, "", nil
	}
	path := tokenFile(cfg)
	token, err = readToken(path)
	if errors.Is(err, fs.ErrNotExist) {
		token, err = makeToken(path)
	}
	if err != nil {
		return "", "", fmt.Errorf("admin.token: %w", err)
	}
	return token, path, nil
}

// shortestToken is as much as the config asks of admin.token.
const shortestToken = 24

// readToken reads a token that nobody else can have read or put there.
func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 { // there, a mode says nothing
		return "", fmt.Errorf("%s is open to others than its owner (mode %04o); delete it, and the daemon makes a new one, or chmod 600 it if nobody else has been here", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if len(token) < shortestToken {
		return "", fmt.Errorf("%s holds %d characters, and a token has at least %d; delete it, and the daemon makes a new one", path, len(token), shortestToken)
	}
	return token, nil
}

// makeToken makes the file, and fails if somebody else has made it meanwhile.
func makeToken(path string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	token := rand.Text() + rand.Text()
	_, err = f.WriteString(token + "\n")
	return token, errors.Join(err, f.Close())
}

func tokenFile(cfg *config.Config) string { return filepath.Join(dataDir(cfg), "admin.token") }

// dashboard is asynqmon; its zero value is none.
type dashboard struct{ *asynqmon.HTTPHandler }

// newDashboard shows the queues. Payloads are ids and nothing else, and shown so.
func newDashboard(redis *tasks.Connector) dashboard {
	return dashboard{asynqmon.New(asynqmon.Options{
		RootPath:     "/queues",
		RedisConnOpt: redis,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(func(_ string, payload []byte) string {
			return string(payload)
		}),
		ResultFormatter: asynqmon.ResultFormatterFunc(func(string, []byte) string { return "" }),
	})}
}

func (d dashboard) close() {
	if d.HTTPHandler != nil {
		_ = d.Close()
	}
}

// adminHandler is all of the operator's listener.
func (d *daemon) adminHandler() (http.Handler, error) {
	token, made, err := adminToken(d.cfg)
	if err != nil {
		return nil, err
	}
	if made != "" {
		d.log.Info("admin.token is not set; the one in this file counts", slog.String("file", made))
	}
	d.queues = newDashboard(d.queue.Redis)
	return handlers.Admin(handlers.AdminOptions{
		Ledger: d.ledger, Token: token, Tokens: tokens(d.cfg), Hosts: d.cfg.Admin.Hosts, Listen: d.cfg.Admin.Listen,
		Meters: meters(d.route.Kinds),
		Health: d.health, Metrics: d.metricsHandler(), Queues: d.queues,
		Retry: d.retry, Replay: d.replay, Alarms: d.alarms.List, Log: d.log,
		Approvals:  approvals{d.ledger, d.queue.Dispatcher.Offer},
		Deliveries: deliveries{d.ledger, d.deliverer.Resume},
		Accounts:   accounts{d.ledger, d.route.Kinds, d.queue.Dispatcher.Offer},
		Files:      d.files,
		Sessions:   d.sessions(),
	}), nil
}

func (d *daemon) retry(ctx context.Context, grantID string) error {
	due, err := d.ledger.Retry(ctx, grantID)
	d.queue.Dispatcher.Offer(due)
	return err
}

func (d *daemon) replay(ctx context.Context, id string) (int64, error) {
	n, err := d.ledger.Replay(ctx, id)
	d.queue.Relay.Wake()
	return n, err
}
