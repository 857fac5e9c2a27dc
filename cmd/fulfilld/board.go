package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"fulfilld/grant"
)

// lister lists grants as they stand.
type lister interface {
	Grants(ctx context.Context, f grant.GrantFilter, p grant.Page) ([]grant.View, int64, error)
}

// board shows the grants as they move: redrawn in place on a terminal, a line
// for each change elsewhere.
type board struct {
	out   io.Writer
	width int
	tty   bool

	mu    sync.Mutex
	says  string
	heard string               // by the merchant's server
	sent  map[string]time.Time // grant -> when an event about it was sent last
	rows  map[string]row       // grant -> as last seen
	order []string
	drawn int           // lines on the screen
	moved chan struct{} // a row has changed
}

// row is one line of the table.
type row struct {
	customer, benefit, kind, issued string
	state                           grant.State
	took                            time.Duration
}

const refresh = 50 * time.Millisecond

func newBoard(out io.Writer) *board {
	b := &board{out: out, sent: map[string]time.Time{}, rows: map[string]row{}, moved: make(chan struct{}, 1)}
	b.width, b.tty = terminal(out)
	if !b.tty {
		fmt.Fprintln(out, header.line(0))
	}
	return b
}

// about says what is being sent, and about which grant.
func (b *board) about(says, grantID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.says, b.sent[grantID] = says, time.Now()
	if !b.tty {
		fmt.Fprintln(b.out, "→", says)
	}
}

// hears says what the merchant's server was told.
func (b *board) hears(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = what
	if !b.tty {
		fmt.Fprintln(b.out, "←", what)
	}
}

// watch looks at the ledger until ctx ends.
func (b *board) watch(ctx context.Context, l lister) error {
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	for {
		views, _, err := l.Grants(ctx, grant.GrantFilter{}, grant.Page{Number: 1, Limit: 100})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		b.see(views)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (b *board) see(views []grant.View) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(views) - 1; i >= 0; i-- { // the newest comes first
		v := views[i]
		now, had := b.row(v), b.rows[v.ID]
		if had.customer == "" {
			b.order = append(b.order, v.ID)
		}
		if now == had {
			continue
		}
		b.rows[v.ID] = now
		if !b.tty {
			fmt.Fprintln(b.out, now.line(0))
		}
	}
	if b.tty {
		b.draw()
	}
	select {
	case b.moved <- struct{}{}:
	default:
	}
}

func (b *board) row(v grant.View) row {
	r := row{customer: v.Customer.Name, benefit: v.Benefit.Description, state: v.State, kind: v.Benefit.Type}
	if r.customer == "" {
		r.customer = v.CustomerID
	}
	if len(v.Fulfilments) == 0 {
		return r
	}
	f := v.Fulfilments[0]
	r.kind, r.issued = f.Kind, issued(f)
	if sent := b.sent[v.ID]; f.DoneAt.After(sent) {
		r.took = f.DoneAt.Sub(sent)
	} else {
		r.took = b.rows[v.ID].took
	}
	return r
}

// issued is what the customer got, as far as it may be shown.
func issued(f grant.FulfilmentView) string {
	var p struct {
		DisplayKey    string   `json:"display_key"`
		InvitationURL string   `json:"invitation_url"`
		InviteURL     string   `json:"invite_url"`
		RoleIDs       []string `json:"role_ids"`
		Units         int64    `json:"last_credited_units"`
		Files         []string `json:"files"`
	}
	if len(f.Properties) > 0 {
		_ = json.Unmarshal(f.Properties, &p) // another kind's properties say nothing here
	}
	switch {
	case f.State == grant.Waiting && p.InvitationURL+p.InviteURL != "":
		return "invitation"
	case f.State == grant.Granted && len(p.RoleIDs) > 0:
		return "role"
	case f.State == grant.Granted && len(p.Files) > 0:
		return fmt.Sprintf("%d files", len(p.Files))
	case f.State == grant.Granted && f.Kind == "github_repository":
		return "access"
	case f.State == grant.Granted && f.Kind == "feature_flag":
		return "flag"
	case p.Units != 0:
		return fmt.Sprintf("%+d", p.Units)
	}
	return p.DisplayKey
}

// is waits until a grant is in a state.
func (b *board) is(ctx context.Context, id string, want grant.State) error {
	return b.settled(ctx, map[string]grant.State{id: want})
}

// settled waits until every grant is in the state it must end in.
func (b *board) settled(ctx context.Context, ends map[string]grant.State) error {
	for {
		wrong := b.unlike(ends)
		if wrong == "" {
			return nil
		}
		select {
		case <-b.moved:
		case <-ctx.Done():
			return fmt.Errorf("the story did not end as it should: %s", wrong)
		}
	}
}

func (b *board) unlike(ends map[string]grant.State) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, want := range ends {
		if got := b.rows[id].state; got != want {
			return fmt.Sprintf("grant %s is %q, want %q", id, got, want)
		}
	}
	return ""
}

// draw rewrites the table in place.
func (b *board) draw() {
	var s strings.Builder
	if b.drawn > 0 {
		fmt.Fprintf(&s, "\x1b[%dA\x1b[J", b.drawn)
	}
	lines := []string{"\x1b[1m→ " + b.says + "\x1b[0m", clip("← "+b.heard, b.width), "", "\x1b[2m" + header.line(b.width) + "\x1b[0m"}
	for _, id := range b.order {
		lines = append(lines, b.rows[id].line(b.width))
	}
	s.WriteString(strings.Join(lines, "\n") + "\n")
	b.drawn = len(lines)
	_, _ = io.WriteString(b.out, s.String()) // a closed terminal ends the demo by its signal
}

var header = row{customer: "CUSTOMER", benefit: "BENEFIT", kind: "KIND", state: "STATE", issued: "ISSUED"}

// colours of the states, on a terminal.
var colours = map[grant.State]string{
	grant.Granted: "32", grant.Revoked: "90", grant.Pending: "33", grant.Revoking: "33",
	grant.Waiting: "36", grant.Failed: "31", grant.Unmanaged: "90",
}

// line lays a row out; width is that of the terminal, 0 for plain text.
func (r row) line(width int) string {
	took := ""
	if r.took > 0 {
		took = r.took.Round(100 * time.Microsecond).String()
	}
	if r == header {
		took = "TOOK"
	}
	state := fmt.Sprintf("%-10s", r.state)
	text := func(state string) string {
		return strings.TrimRight(fmt.Sprintf("%-16s %-22s %-18s %s %-12s %s", clip(r.customer, 16), clip(r.benefit, 22), clip(r.kind, 18), state, r.issued, took), " ")
	}
	if c := colours[r.state]; width > 0 && c != "" && len(text(state)) <= width {
		return text("\x1b[" + c + "m" + state + "\x1b[0m")
	}
	if width > 0 {
		return clip(text(state), width)
	}
	return text(state)
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
