package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"fulfilld/config"
	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/polar"
)

// trigger is an event made up to try a set-up with.
type trigger struct {
	url, scheme, file string
	benefitType       string
	personal          polar.Personal
}

func triggerCommand(o *options) *cobra.Command {
	var t trigger
	cmd := &cobra.Command{
		Use:   "trigger EVENT_TYPE",
		Short: "Send a signed event to a running daemon, as Polar would",
		Example: `  fulfilld trigger benefit_grant.created
  fulfilld trigger benefit_grant.revoked --grant 2017d130-6fbe-4bc3-8b4e-54d58be046b0
  fulfilld trigger benefit_grant.created --benefit 4cb7ab24-906c-4067-83b2-2c8152d36ab6`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return t.run(cmd, o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&t.benefitType, "benefit-type", "license_keys", "what kind of benefit the event is about")
	f.StringVar(&t.personal.BenefitID, "benefit", "", "the benefit's id (default: the example's)")
	f.StringVar(&t.personal.CustomerID, "customer", "", "the customer's id (default: the example's)")
	f.StringVar(&t.personal.Email, "email", "", "the customer's e-mail address")
	f.StringVar(&t.personal.Name, "name", "", "the customer's name")
	f.StringVar(&t.personal.GrantID, "grant", "", "the grant's id (default: the example's)")
	f.StringVar(&t.file, "file", "", "send this body, byte for byte, instead of an example (- for standard input)")
	f.StringVar(&t.url, "url", "", "where to (default: the config's listen address)")
	f.StringVar(&t.scheme, "scheme", "auto", "how the secret is used: auto, legacy or standard")
	return cmd
}

func (t *trigger) run(cmd *cobra.Command, o *options, eventType string) error {
	cfg, built, err := o.load(config.Serve, kinds(nil))
	if err != nil {
		return err
	}
	body, err := t.body(cmd.InOrStdin(), eventType)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if err := foretell(out, body, router(cfg, built)); err != nil {
		return err
	}
	if t.url == "" {
		t.url = "http://" + reachable(cfg.Listen) + "/webhooks/polar"
	}
	id := uuid.NewString()
	status, answer, err := send(cmd.Context(), t.url, cfg.Webhooks.Polar.Secrets[0].Reveal(), t.scheme, id, body)
	var unanswered *url.Error
	if errors.As(err, &unanswered) {
		return &exitError{exitUnreachable, fmt.Errorf("no answer from the daemon; is `fulfilld serve` running? %w", err)}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "webhook-id %s: %d %s\n", id, status, plain(answer))
	if status != http.StatusAccepted {
		return errors.New("the daemon did not accept the event")
	}
	return nil
}

// body is the given file, or an example made about the given people and things.
func (t *trigger) body(stdin io.Reader, eventType string) ([]byte, error) {
	if t.file == "-" {
		return io.ReadAll(stdin)
	}
	if t.file != "" {
		return os.ReadFile(t.file)
	}
	template, err := polar.Template(eventType, t.benefitType)
	if err != nil {
		return nil, err
	}
	t.personal.At = time.Now()
	return polar.Personalise(template, t.personal)
}

// foretell says what the event will lead to, before it is sent: above all
// whether a real person would hear of it.
func foretell(w io.Writer, body []byte, r fulfillers.Router) error {
	typ, at, _ := polar.EventType(body)
	news, err := polar.Decode(grant.Event{Type: typ, OccurredAt: at, ReceivedAt: time.Now(), Body: body})
	if err != nil {
		fmt.Fprintf(w, "The daemon will not be able to read this event: %v\n", err)
		return nil
	}
	if news.Ignored != "" {
		fmt.Fprintf(w, "The event will be kept and have no effect: %s.\n", news.Ignored)
	}
	if len(news.Grants) == 0 {
		return nil
	}
	for _, b := range news.Benefits {
		for _, t := range r.Route(b).Targets {
			fmt.Fprintf(w, "%s, by %s: %s\n", plain(t.Kind), t.Origin, plain(prospect(t, r.Kinds)))
		}
	}
	return nil
}

func prospect(t grant.Target, kinds map[string]fulfillers.Built) string {
	if !t.Managed {
		return "not switched on here, nothing will be done"
	}
	if t.Problem != "" {
		return "will fail: " + t.Problem
	}
	if i, ok := kinds[t.Kind].Fulfiller.(fulfillers.Inviter); ok {
		if how := i.Invites(t.Params); how != "" {
			return "A REAL PERSON would be reached: " + how
		}
	}
	return "nobody outside is contacted"
}

// send signs a body and posts it.
func send(ctx context.Context, url, secret, scheme, id string, body []byte) (status int, answer string, err error) {
	headers, err := polar.Sign(secret, scheme, id, time.Now(), body)
	if err != nil {
		return 0, "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header = headers
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return resp.StatusCode, string(text), err
}
