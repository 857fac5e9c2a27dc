package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"fulfilld/fulfillers"
)

const (
	resends    = 3  // of an invitation that expires: then a person must act
	manySent   = 40 // so many in a day, and a refusal that says nothing is about the cap
	quotaWait  = 6 * time.Hour
	noSeatWait = time.Hour // one customer is refused for all; the others need not wait long for a seat that was bought
)

// pursue brings an account in that is not in yet, by the invitations that are
// there, or that are known to have been.
func (t *task) pursue(ctx context.Context, mine []invitation, owed int) error {
	var old []invitation
	for _, i := range mine {
		if !i.over(t.now()) {
			return t.await(ctx, &i, owed)
		}
		old = append(old, i)
	}
	if err := t.over(len(old) > 0); err != nil {
		return err
	}
	if t.repo.GetOwner().GetType() == "User" {
		return personal(t.repo.asked, nil)
	}
	if t.note.pending() {
		t.note.InvitationID = 0 // not listed any more, it was withdrawn by us
		if err := t.remember(ctx); err != nil {
			return err
		}
	}
	for _, i := range old {
		if err := t.repo.write(ctx, false, func() error { return t.repo.withdraw(ctx, &i) }); err != nil {
			return err
		}
	}
	return t.invite(ctx, owed)
}

// over says why there will be no new invitation: what is remembered ends it,
// until the operator asks for another. One that expired stays listed: what is
// not, whenever that is noticed, was declined.
func (t *task) over(expired bool) error {
	n := t.note
	switch {
	case n.Accepted:
		return fulfillers.ActionRequired("removed_by_hand", fmt.Sprintf(
			"github: %s had accepted access to %s and has it no more: the account left, or was removed by hand; `fulfilld grants retry` invites it again", t.user.login, n.Repository))
	case expired && n.Invitations > resends:
		return fulfillers.ActionRequired("invitation_expired", fmt.Sprintf(
			"github: %d invitations of %s to %s have expired; `fulfilld grants retry` sends another (an organisation without a free seat makes invitations invalid)", n.Invitations, t.user.login, n.Repository))
	case !expired && n.pending():
		return fulfillers.ActionRequired("declined", fmt.Sprintf(
			"github: %s declined the invitation to %s, or it was withdrawn; `fulfilld grants retry` sends another", t.user.login, n.Repository))
	}
	return nil
}

// await is for an invitation that is there.
func (t *task) await(ctx context.Context, i *invitation, owed int) error {
	if i.level() != owed {
		patch := func() error { return t.repo.patch(ctx, i, owed) }
		if err := t.repo.write(ctx, false, func() error { return t.giving(ctx, i.level(), owed, patch) }); err != nil {
			return err
		}
	}
	if t.note.begun() {
		t.note.Invitations++
	}
	t.note.invited(i, owed)
	if owed > t.hold.Before {
		t.given.Permission = permissionOf(owed)
	}
	return t.waiting()
}

func (t *task) waiting() error {
	return fulfillers.ActionRequired("invited", "github: "+t.note.text(t.user))
}

// invite sends an invitation, and looks once more before it reports that one is
// waiting: some accounts are let in at once.
func (t *task) invite(ctx context.Context, owed int) error {
	if err := t.repo.writable(); err != nil {
		return err
	}
	t.note.Accepted, t.note.InvitationID = false, 0
	if err := t.repo.invite(ctx, t.user, func() error { return t.put(ctx, 0, owed) }); err != nil {
		return err
	}
	if !t.note.pending() {
		return t.settled(ctx, owed)
	}
	have, err := t.repo.access(ctx, t.user)
	if err == nil && have.level >= owed {
		t.accept(owed)
		return nil
	}
	return t.waiting()
}

// put writes, and checks what came of it: for the right account, with the right
// role. It is called in turn.
func (t *task) put(ctx context.Context, there, owed int) error {
	had := t.given.Permission
	var i *invitation
	err := t.giving(ctx, there, owed, func() (err error) {
		if i, err = t.repo.put(ctx, t.user, owed); isMissing(err) {
			if err = t.renamed(ctx, err); err == nil {
				i, err = t.repo.put(ctx, t.user, owed)
			}
		}
		return err
	})
	switch {
	case err != nil:
		return t.refusal(err, owed)
	case i == nil:
		return nil
	case i.GetInvitee().GetID() != t.user.id:
		t.given.Permission = had
		return t.undo(ctx, i, "wrong_invitee", fmt.Sprintf("GitHub invited another account than %d under the login %s", t.user.id, t.user.login))
	case i.level() != owed:
		return t.undo(ctx, i, "wrong_permission", fmt.Sprintf("GitHub invited %s with the role %s instead of %s", t.user.login, i.GetPermissions(), roleOf(owed)))
	}
	t.note.Invitations++
	t.note.invited(i, owed)
	return nil
}

// renamed looks up an account that was not found under its login.
func (t *task) renamed(ctx context.Context, cause error) error {
	u, err := t.Fulfiller.user(ctx, t.repo.by, t.user.id)
	switch {
	case errors.Is(err, errGone):
		return accountGone()
	case err != nil:
		return err
	case u == t.user:
		return fulfillers.Transient("not_found", cause)
	}
	t.user = u
	return nil
}

// undo withdraws an invitation that should not have been.
func (t *task) undo(ctx context.Context, i *invitation, code, what string) error {
	if err := t.repo.withdraw(ctx, i); err != nil {
		return permanent(code, fmt.Sprintf("%s; delete invitation %d of %s by hand, now", what, i.GetID(), t.repo.name), err)
	}
	return permanent(code, fmt.Sprintf("%s; invitation %d of %s was withdrawn; look at what stands between here and GitHub, and retry", what, i.GetID(), t.repo.name), nil)
}

// refusal knows what GitHub's refusals of a role or an invitation mean.
func (t *task) refusal(err error, owed int) error {
	r := refusalIn(err)
	if r == nil || r.status != http.StatusForbidden && r.status != http.StatusUnprocessableEntity {
		return err
	}
	sent := t.invitedLately(t.repo.asked, t.sent)
	switch {
	case r.says("organization-owned", "repository owner cannot"):
		return personal(t.repo.asked, r)
	case r.says("no_seat", "more seat", "seats"):
		return hold("no_seat", seatLane(t.repo.GetOwner().GetLogin()), noSeatWait, "the organisation of "+t.repo.asked+" has no free seat; buy one or free one", r)
	case r.says("enterprise managed", "managed user", "emu"):
		return permanent("managed_user", fmt.Sprintf("GitHub lets no account cross the border of an enterprise with managed users: %s cannot join %s", t.user.login, t.repo.asked), r)
	case r.says("cannot assign"):
		return permanent("base_role", fmt.Sprintf("the base role of the organisation's members is above %s, so %s cannot be given it in %s; lower the base role, or sell a higher permission", permissionOf(owed), t.user.login, t.repo.asked), r)
	case r.says("spam"), sent >= manySent:
		return hold("invitation_quota", inviteLane(t.repo.asked), quotaWait, t.repo.asked+" has taken its invitations for today", r)
	case r.status == http.StatusUnprocessableEntity && r.details == "":
		return fulfillers.ActionRequired("refused", fmt.Sprintf("github: GitHub refused to invite %s to %s and does not say why; one of the two may have blocked the other: unblock, or link another account", t.user.login, t.repo.asked))
	}
	return err
}

func personal(repository string, cause error) error {
	return permanent("personal_repository", repository+" belongs to a person, and such repositories know no roles: every collaborator may write; move it to an organisation", cause)
}

func hold(code, lane string, wait time.Duration, text string, cause error) error {
	return &fulfillers.Error{Class: fulfillers.ClassThrottled, Code: code, Lane: lane, Wait: wait, Text: "github: " + text, Cause: cause}
}
