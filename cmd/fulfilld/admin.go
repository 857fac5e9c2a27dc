package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
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
	text, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(text)), path, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("admin.token: %w", err)
	}
	token = rand.Text() + rand.Text()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", "", fmt.Errorf("admin.token: %w", err)
	}
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		return "", "", fmt.Errorf("admin.token: %w", err)
	}
	return token, path, nil
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
		Ledger: d.ledger, Token: token, Hosts: d.cfg.Admin.Hosts, Listen: d.cfg.Admin.Listen,
		Health: d.health, Metrics: d.metricsHandler(), Queues: d.queues,
		Retry: d.retry, Replay: d.replay, Alarms: d.alarms.List, Log: d.log,
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
