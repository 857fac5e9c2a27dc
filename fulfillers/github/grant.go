package github

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// Grant implements fulfillers.Fulfiller. It does what can be done for every
// repository, and reports the worst of what could not.
func (g *Fulfiller) Grant(ctx context.Context, f grant.Fulfilment) (grant.Properties, error) {
	wanted, err := g.wanted(f)
	if err != nil {
		return nil, err
	}
	m := recall(f)
	var notes []*note
	var tasks []*task
	for _, h := range wanted {
		n, given := m.of(h)
		n.Permission = permissionOf(h.Owed())
		notes = append(notes, n)
		tasks = append(tasks, &task{Fulfiller: g, f: f, hold: h, memory: m, note: n, given: given})
	}
	m.keep(notes, f.Holds)
	var errs []error
	for _, t := range tasks {
		errs = append(errs, t.grant(ctx))
	}
	return m.properties(), worst(errs)
}

// wanted are the holds that are to be brought about: everything that the target
// asks for must be among them.
func (g *Fulfiller) wanted(f grant.Fulfilment) (wanted []grant.Hold, err error) {
	resources, err := g.Resources(f)
	if err != nil {
		return nil, err
	}
	for _, h := range f.Holds {
		if h.Level > 0 {
			wanted = append(wanted, h)
		}
	}
	for _, r := range resources {
		if !slices.ContainsFunc(wanted, func(h grant.Hold) bool { return h.Key() == r.Key() }) {
			return nil, fulfillers.Transient("not_held", fmt.Errorf("github: %s is asked for but not held", r.Name))
		}
	}
	return wanted, nil
}

// badness orders the classes. A customer who must act can do so while the rest
// is tried again, so that comes last.
var badness = []fulfillers.Class{
	fulfillers.ClassActionRequired, fulfillers.ClassTransient, fulfillers.ClassThrottled, fulfillers.ClassPermanent,
}

// worst is one error for several repositories. What customers are told, they are
// told of all.
func worst(errs []error) error {
	var at *fulfillers.Error
	var texts []string
	for _, err := range errs {
		e := fulfillers.Classify(err)
		switch {
		case e == nil:
			continue
		case e.Class == fulfillers.ClassActionRequired && !slices.Contains(texts, e.Text):
			texts = append(texts, e.Text)
		}
		if at == nil || slices.Index(badness, e.Class) > slices.Index(badness, at.Class) {
			at = e
		}
	}
	switch {
	case at == nil:
		return nil
	case at.Class == fulfillers.ClassActionRequired:
		return fulfillers.ActionRequired(at.Code, strings.Join(texts, "\n"))
	}
	return at
}

// task is one repository's part of one Grant.
type task struct {
	*Fulfiller
	f      grant.Fulfilment
	hold   grant.Hold
	memory *memory
	note   *note
	given  *given

	repo *repository
	user user
	sent int // anybody's invitations of the last day that are still open
}

// grant looks at what there is and closes the gap, if any.
func (t *task) grant(ctx context.Context) error {
	id, err := numeric(t.hold.Account)
	if err != nil {
		return err
	}
	if err := t.find(ctx, id); err != nil {
		return err
	}
	owed := t.hold.Owed()
	if t.config.protects(id, t.user.login) {
		t.note.nothingToDo(accessProtected, owed)
		return nil
	}
	// Invitations first: one that is accepted in between is then seen as access.
	mine, sent, err := t.repo.invitations(ctx, id)
	if err != nil {
		return err
	}
	t.sent = sent
	have, err := t.repo.access(ctx, t.user)
	switch {
	case err != nil:
		return err
	case have.direct:
		return t.adjust(ctx, have, owed)
	case have.level >= owed:
		t.note.nothingToDo(accessOther, have.level)
		return nil
	}
	return t.pursue(ctx, mine, owed)
}

// find finds the repository and the account. Where a repository has moved, its
// new name must be allowed too.
func (t *task) find(ctx context.Context, id int64) (err error) {
	if t.repo, err = t.open(ctx, t.hold.Name); err != nil {
		return err
	}
	if !t.f.Target.Configured() && !t.config.allows(t.repo.name) {
		return notAllowed(t.repo.name)
	}
	t.user, err = t.Fulfiller.user(ctx, t.repo.by, id)
	if errors.Is(err, errGone) {
		return accountGone()
	}
	return err
}

// adjust gives a collaborator the role that is owed, by an update: taking access
// away on the way would delete the person's fork. An administrator whom we did
// not make one stays one.
func (t *task) adjust(ctx context.Context, have access, owed int) error {
	switch {
	case have.level > owed && t.note.Also == permissionOf(have.level):
		t.accept(owed)
		return nil
	case have.level == admin && !t.given.admin() && (owed < admin || t.note.Access == accessOther):
		t.note.nothingToDo(accessOther, have.level)
		return nil
	case have.level == owed:
		t.note.Also = ""
		t.accept(owed)
		return nil
	}
	err := t.repo.write(ctx, false, func() error { return t.put(ctx, have.level, owed) })
	if err != nil {
		return err
	}
	return t.settled(ctx, owed)
}

// giving does a write that gives a role where another one is there, or none. What
// GitHub may have taken counts as given, unless it says that it did not. That
// somebody becomes an administrator is remembered before: after a kill it would
// look as if others had made them one.
func (t *task) giving(ctx context.Context, there, owed int, write func() error) error {
	tried := levelOf(t.given.Permission)
	had := permissionOf(min(tried, there))
	t.given.Permission = permissionOf(max(tried, owed))
	if owed == admin {
		if err := t.remember(ctx); err != nil {
			t.given.Permission = had
			return err
		}
	}
	err := write()
	switch {
	case saysNo(err):
		t.given.Permission = had
	case err == nil:
		t.given.Permission = permissionOf(owed)
	}
	return err
}

// remember writes down what is about to be done.
func (t *task) remember(ctx context.Context) error {
	return fulfillers.Remember(ctx, t.memory.properties())
}

// accept is for a role that is there. Beyond what was there before it is taken for
// ours: a crash may have kept us from writing it down.
func (t *task) accept(owed int) {
	t.note.accept(owed)
	if t.given.Permission = ""; owed > t.hold.Before {
		t.given.Permission = permissionOf(owed)
	}
}

// settled waits until GitHub shows the access that was given. More than that
// comes from elsewhere, and stays.
func (t *task) settled(ctx context.Context, owed int) error {
	have, err := t.repo.until(ctx, t.user, func(a access) bool { return a.level == owed })
	switch {
	case err != nil:
		return err
	case have.level < owed:
		return fulfillers.Transient("not_shown", fmt.Errorf("github: %s does not show %s for %s yet", t.repo.name, permissionOf(owed), t.user.login))
	}
	t.note.Also = ""
	if have.level > owed {
		t.note.Also = permissionOf(have.level)
	}
	t.accept(owed)
	return nil
}
