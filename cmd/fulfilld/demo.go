package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"fulfilld/handlers/portal"
)

func demoCommand(o *options) *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the daemon on throw-away data and watch it work",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return demo(cmd, once) },
	}
	cmd.Flags().BoolVar(&once, "once", false, "end when the story is told")
	return cmd
}

// demo runs the real daemon, sends it the events of a small shop, and shows
// what becomes of them. Nothing of the operator's config is used.
func demo(cmd *cobra.Command, once bool) (err error) {
	dir, err := os.MkdirTemp("", "fulfilld-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w, err := newWorld()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	secret, token := newSecret(), rand.Text()
	d, err := startDaemon(cmd.Context(), &options{environ: append(w.environ,
		"FULFILLD_LISTEN=127.0.0.1:0",
		"FULFILLD_ADMIN_LISTEN=127.0.0.1:0",
		"FULFILLD_ADMIN_TOKEN="+token,
		"FULFILLD_DATABASE_URL=sqlite://"+filepath.Join(dir, "fulfilld.db"),
		"FULFILLD_WEBHOOKS_POLAR_SECRETS="+secret,
	)}, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelError})), true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.shutdown()) }()
	if w.admin, err = newAdminClient("http://"+d.adminAddr.String(), token, false); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "A daemon is running on throw-away data in %s.\n\n", dir)
	if err := tell(cmd.Context(), d, w, secret, newBoard(out)); err != nil || cmd.Context().Err() != nil {
		return err
	}
	showAddresses(out, d, token)
	if err := showPage(cmd.Context(), out, d, ada); err != nil {
		return err
	}
	if once {
		return nil
	}
	fmt.Fprint(out, "\nCtrl-C ends the demo and deletes its data.\n")
	<-cmd.Context().Done()
	return nil
}

// newSecret makes a secret of a Standard Webhook.
func newSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}

func showAddresses(w io.Writer, d *daemon, token string) {
	admin := "http://" + d.adminAddr.String()
	fmt.Fprintf(w, `
Queue dashboard  %[1]s/queues/   (any user name; the password is the token)
Metrics          %[1]s/metrics   (the same)
Health           %[1]s/readyz
API              %[1]s/v1/benefit-grants/   (the same)
Token            %[2]s
`, admin, token)
}

// showPage makes a link to what a buyer sees.
func showPage(ctx context.Context, w io.Writer, d *daemon, whose buyer) error {
	token, err := d.visits().Make(ctx, portal.Session{CustomerID: whose.customer, Until: time.Now().Add(d.cfg.CustomerPage.SessionTTL)})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nWhat %s sees:\nhttp://%s%s/enter/%s\n", whose.name, d.publicAddr, portal.Prefix, token)
	return err
}

// tell plays the story and waits until every grant has ended as it should.
func tell(ctx context.Context, d *daemon, w *world, secret string, b *board) error {
	w.api = "http://" + d.publicAddr.String()
	w.board.Store(b)
	s := story{url: w.api + "/webhooks/polar", secret: secret, board: b, world: w, again: d.retry}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	watching, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- b.watch(watching, d.ledger) }()
	err := s.play(ctx)
	if err == nil {
		err = b.settled(ctx, s.ends())
	}
	stop()
	err = errors.Join(err, <-done)
	if errors.Is(err, context.Canceled) { // Ctrl-C in the middle of it
		return nil
	}
	return err
}

// terminal reports whether w is one, and its width.
func terminal(w io.Writer) (width int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	return width, err == nil
}
