package ledger

import (
	"context"
	"slices"
	"time"

	"fulfilld/grant"
)

// journalShown is how much of a grant's journal is worth reading.
const journalShown = 100

const fulfilmentColumns = `f.id, f.grant_id, f.kind, f.state, f.because, f.generation, f.attempts, f.since,
	f.due_at, f.done_at, f.updated_at, f.error_class, f.error_code, f.error_text, f.properties, f.applied`

func scanFulfilment(r rowScanner) (f grant.FulfilmentView, err error) {
	var since, due, done, updated int64
	var properties, applied string
	err = r.Scan(&f.ID, &f.GrantID, &f.Kind, &f.State, &f.Because, &f.Generation, &f.Attempts, &since, &due, &done, &updated,
		&f.LastError.Class, &f.LastError.Code, &f.LastError.Text, &properties, &applied)
	f.Since, f.DueAt, f.DoneAt, f.UpdatedAt = timeOf(since), timeOf(due), timeOf(done), timeOf(updated)
	f.Properties, f.Applied = raw(properties), raw(applied)
	return f, err
}

// addFulfilments reads the fulfilments of all the grants at once.
func (l *Ledger) addFulfilments(ctx context.Context, views []grant.View) error {
	if len(views) == 0 {
		return nil
	}
	at := map[string]int{}
	ids := make([]string, len(views))
	for i, v := range views {
		at[v.ID], ids[i] = i, v.ID
		views[i].State = grant.Worst()
	}
	s := selection{from: `grants g JOIN fulfilments f ON ` + ofGrant}
	in(&s, "g.id", ids)
	rows, err := l.read.QueryContext(ctx, l.engine.sql(`SELECT `+fulfilmentColumns+s.text()+` ORDER BY f.id`), s.args...)
	if err != nil {
		return err
	}
	all, err := collect(rows, scanFulfilment)
	for _, f := range all {
		v := &views[at[f.GrantID]]
		if len(v.Fulfilments) == 0 {
			v.State = f.State
		}
		v.Fulfilments, v.State = append(v.Fulfilments, f), grant.Worst(v.State, f.State)
	}
	return err
}

// addJournal reads the latest attempts of a grant's fulfilments.
func (l *Ledger) addJournal(ctx context.Context, fs []grant.FulfilmentView) error {
	if len(fs) == 0 {
		return nil
	}
	at := map[string]int{}
	ids := make([]string, len(fs))
	for i, f := range fs {
		at[f.ID], ids[i] = i, f.ID
	}
	s := selection{from: "attempts a"}
	in(&s, "a.fulfilment_id", ids)
	rows, err := l.read.QueryContext(ctx, l.engine.sql(`SELECT a.fulfilment_id, a.action, a.class, a.code, a.detail, a.took, a.count, a.first_at, a.last_at`+
		s.text()+` ORDER BY a.id DESC LIMIT `+s.arg(journalShown)), s.args...)
	if err != nil {
		return err
	}
	all, err := collect(rows, scanAttempt)
	for _, a := range slices.Backward(all) {
		f := &fs[at[a.FulfilmentID]]
		f.Journal = append(f.Journal, a)
	}
	return err
}

func scanAttempt(r rowScanner) (a grant.Attempt, err error) {
	var took, first, last int64
	err = r.Scan(&a.FulfilmentID, &a.Action, &a.Trouble.Class, &a.Trouble.Code, &a.Trouble.Text, &took, &a.Count, &first, &last)
	a.Took, a.First, a.Last = time.Duration(took)*time.Microsecond, timeOf(first), timeOf(last)
	return a, err
}

// FulfilmentStates counts the fulfilments by kind and state.
func (l *Ledger) FulfilmentStates(ctx context.Context) (map[[2]string]int64, error) {
	rows, err := l.read.rows(ctx, `SELECT kind, state, count(*) FROM fulfilments GROUP BY kind, state`)
	if err != nil {
		return nil, err
	}
	counts := map[[2]string]int64{}
	_, err = collect(rows, func(r rowScanner) (struct{}, error) {
		var key [2]string
		var n int64
		err := r.Scan(&key[0], &key[1], &n)
		counts[key] = n
		return struct{}{}, err
	})
	return counts, err
}

// Overdue counts, by kind, the work that waits and the part of it that has
// waited for more than a minute.
func (l *Ledger) Overdue(ctx context.Context) (map[string]grant.Workload, error) {
	rows, err := l.read.rows(ctx, `SELECT kind, count(*), sum(CASE WHEN due_at < {{now}} - $1 THEN 1 ELSE 0 END)
		FROM fulfilments WHERE due_at > 0 AND due_at <= {{now}} GROUP BY kind`, time.Minute.Microseconds())
	if err != nil {
		return nil, err
	}
	loads := map[string]grant.Workload{}
	_, err = collect(rows, func(r rowScanner) (struct{}, error) {
		var kind string
		var w grant.Workload
		err := r.Scan(&kind, &w.Due, &w.Overdue)
		loads[kind] = w
		return struct{}{}, err
	})
	return loads, err
}
