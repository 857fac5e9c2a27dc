package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"fulfilld/grant"
	"fulfilld/grant/shape"
)

// hears reports whether any endpoint wants to be told one of these.
func (l *Ledger) hears(types ...string) bool {
	for _, typ := range types {
		if len(l.opts.Listeners[typ]) > 0 {
			return true
		}
	}
	return false
}

// hearsGrants reports whether what comes of a grant is told.
func (l *Ledger) hearsGrants() bool {
	return l.hears(grant.TellsCreated, grant.TellsUpdated, grant.TellsRevoked)
}

// tell keeps something for every endpoint that wants it, to be delivered once
// this is committed.
func (t *tx) tell(l *Ledger, typ, subject, customer string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return each(l.opts.Listeners[typ], func(endpoint string) error {
		_, err := t.exec(`INSERT INTO deliveries (id, endpoint, type, subject, customer_id, data, created_at, due_at, done_at,
				attempts, since, error, lease_token, lease_until)
			VALUES ($1, $2, $3, $4, $5, $6, {{now}}, {{now}}, 0, 0, 0, '', '', 0)`,
			uuid.NewString(), endpoint, typ, subject, customer, string(text))
		return err
	})
}

// mark is what endpoints were last told of a grant.
type mark struct {
	state  grant.State // granted, revoked, or waiting: of one that has not been granted yet something was told; empty: nothing
	digest string
	fresh  bool // there was none: nobody has listened yet when the grant was last seen to
}

// marked reads the mark and keeps it: two kinds of one grant come to their ends
// one after the other, so that the second sees the first. It is the first lock
// that whoever records takes.
func (t *tx) marked(l *Ledger, grantID string) (m mark, err error) {
	if !l.hearsGrants() {
		return m, nil
	}
	n, err := t.exec(`INSERT INTO announced (grant_id, state, digest) VALUES ($1, '', '') ON CONFLICT DO NOTHING`, grantID)
	if err != nil || n > 0 {
		return mark{fresh: n > 0}, err
	}
	err = t.row(`SELECT state, digest FROM announced WHERE grant_id = $1 {{lock}}`, []any{grantID}, &m.state, &m.digest)
	return m, err
}

// unmark takes back a fresh mark: nothing has come of it.
func (t *tx) unmark(grantID string, was mark) error {
	if !was.fresh {
		return nil
	}
	_, err := t.exec(`DELETE FROM announced WHERE grant_id = $1`, grantID)
	return err
}

// announce tells what has come of a grant since the mark.
func (t *tx) announce(l *Ledger, h grant.Held, was mark) (told bool, err error) {
	parts, err := t.parts(h.Grant.ID)
	if err != nil {
		return false, err
	}
	typ, now := newsOf(h, was, parts)
	if now == was {
		return false, nil
	}
	if _, err := t.exec(`UPDATE announced SET state = $2, digest = $3 WHERE grant_id = $1`, h.Grant.ID, string(now.state), now.digest); err != nil {
		return false, err
	}
	if !l.hears(typ) {
		return false, nil
	}
	v, err := t.view(h.Grant.ID)
	if err != nil {
		return false, err
	}
	v.Fulfilments, v.State = parts, worst(parts)
	return true, t.tell(l, typ, v.ID, v.CustomerID, writtenOf(v))
}

// retold tells that a grant shows something else, which no worker brought about.
func (t *tx) retold(l *Ledger, grantID string) error {
	if !l.hears(grant.TellsUpdated) {
		return nil
	}
	parts, err := t.parts(grantID)
	if err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE announced SET digest = $2 WHERE grant_id = $1`, grantID, digestOf(parts)); err != nil {
		return err
	}
	v, err := t.view(grantID)
	if err != nil {
		return err
	}
	v.Fulfilments, v.State = parts, worst(parts)
	return t.tell(l, grant.TellsUpdated, v.ID, v.CustomerID, writtenOf(v))
}

// newsOf is what an endpoint should hear: a grant that has begun or ended, seen
// over all its kinds, or that shows something else than before. Whoever was told
// anything of it is told the end.
func newsOf(h grant.Held, was mark, parts []grant.FulfilmentView) (typ string, now mark) {
	state, digest := worst(parts), digestOf(parts)
	if was.fresh {
		was = unheard(h, parts, digest)
	}
	if was.state == "" && was.digest != "" {
		was.state = grant.Waiting // as it was written down at first
	}
	switch {
	case state == grant.Granted && was.state != grant.Granted:
		return grant.TellsCreated, mark{state: grant.Granted, digest: digest}
	case state == grant.Revoked && (was.state == grant.Granted || was.state == grant.Waiting):
		return grant.TellsRevoked, mark{state: grant.Revoked} // whatever it shows next is news
	case state == grant.Granted && digest != was.digest:
		return grant.TellsUpdated, mark{state: grant.Granted, digest: digest}
	case state == grant.Waiting && digest != was.digest:
		if was.state != grant.Granted {
			was.state = grant.Waiting
		}
		return grant.TellsUpdated, mark{state: was.state, digest: digest}
	}
	return "", was
}

// unheard is the mark that a grant would have if anybody had listened before:
// one that was granted then is no news now, though its end is.
func unheard(h grant.Held, parts []grant.FulfilmentView, digest string) mark {
	others := slices.ContainsFunc(parts, func(f grant.FulfilmentView) bool { return f.ID != h.ID && f.State == grant.Granted })
	switch {
	case h.State == grant.Granted:
		return mark{state: grant.Granted, digest: digest}
	case others || h.Verdict.Desired == grant.OwedRevoked && (h.Applied != nil || h.Properties.Shows()):
		return mark{state: grant.Granted}
	}
	return mark{}
}

// digestOf tells whether what a grant shows has changed: its properties, and what
// its customer is to do.
func digestOf(parts []grant.FulfilmentView) string {
	sum := sha256.New()
	sum.Write(shape.Properties(grant.View{Fulfilments: parts}))
	for _, f := range parts {
		if f.State == grant.Waiting {
			fmt.Fprintf(sum, "\n%s %q", f.Kind, grant.TurnOf(f.LastError.Code).Text)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

func worst(parts []grant.FulfilmentView) grant.State {
	states := make([]grant.State, len(parts))
	for i, f := range parts {
		states[i] = f.State
	}
	return grant.Worst(states...)
}

// parts are a grant's fulfilments.
func (t *tx) parts(grantID string) ([]grant.FulfilmentView, error) {
	s, err := t.stmt(`SELECT ` + fulfilmentColumns + ` FROM fulfilments f WHERE f.id > $1 || '.' AND f.id < $1 || '/' ORDER BY f.id`)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(t.ctx, grantID)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanFulfilment)
}

// view reads a grant without its fulfilments.
func (t *tx) view(grantID string) (v grant.View, err error) {
	s, err := t.stmt(`SELECT ` + viewColumns + ` FROM ` + viewTables + ` WHERE g.id = $1`)
	if err != nil {
		return v, err
	}
	return scanView(s.QueryRowContext(t.ctx, grantID))
}

// toldGrant is a grant as endpoints are told it: whether it is granted is what has
// come of it here, whatever the shop's word.
type toldGrant struct {
	shape.Grant
	State grant.State `json:"state"`
}

func writtenOf(v grant.View) toldGrant {
	now := time.Now().UTC()
	switch v.State {
	case grant.Granted:
		v.Word, v.RevokedAt, v.Error = grant.SaysGranted, time.Time{}, nil
		v.GrantedAt = grant.Latest(v.GrantedAt, v.FirstGrantedAt)
	case grant.Revoked:
		v.Word, v.GrantedAt, v.Error = grant.SaysRevoked, time.Time{}, nil
		if v.RevokedAt.IsZero() {
			v.RevokedAt = now
		}
	default:
		v.Word, v.GrantedAt, v.RevokedAt, v.Error = grant.SaysNone, time.Time{}, time.Time{}, required(v.Fulfilments, now)
	}
	g := toldGrant{shape.OfGrant(v), v.State}
	if len(v.Benefit.Body) == 0 && v.Benefit.Type != "" {
		g.Benefit, _ = json.Marshal(shape.OfBenefit(v.Benefit)) // read from JSON
	}
	return g
}

// required is what the customer has to do, in the platform's form and in words for
// the customer; nothing while only others have to act.
func required(parts []grant.FulfilmentView, now time.Time) json.RawMessage {
	for _, f := range parts {
		if turn := grant.TurnOf(f.LastError.Code); f.State == grant.Waiting && turn.Yours {
			text, _ := json.Marshal(struct {
				Message   string     `json:"message"`
				Type      string     `json:"type"`
				Timestamp shape.Time `json:"timestamp"`
			}{turn.Text, "BenefitActionRequiredError", shape.Time(now)}) // strings
			return text
		}
	}
	return nil
}
