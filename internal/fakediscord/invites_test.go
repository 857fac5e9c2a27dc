package fakediscord_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"fulfilld/internal/fakediscord"
)

func (w *world) invite(body string) reply {
	w.t.Helper()
	return w.expect("POST", "/channels/"+w.guild.ChannelID+"/invites", body, 200, 0)
}

func code(r reply) string {
	s, _ := r.body["code"].(string)
	return s
}

func TestAnInviteSaysWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.invite(`{"max_age":604800,"max_uses":1,"unique":true}`).body
	has(t, "invite", b, "guild", "channel", "inviter", "flags", "type")
	if b["max_age"] != 604800. || b["max_uses"] != 1. || b["uses"] != 0. || b["temporary"] != false {
		t.Errorf("%v", b)
	}
	if b["created_at"] != "2026-11-21T12:00:00.000000+00:00" || b["expires_at"] != "2026-11-28T12:00:00.000000+00:00" {
		t.Errorf("%v", b)
	}
	b = w.invite(``).body
	if b["max_age"] != 86400. || b["max_uses"] != 0. {
		t.Errorf("the defaults: %v", b)
	}
	if b = w.invite(`{"max_age":0}`).body; b["expires_at"] != nil {
		t.Errorf("for ever: %v", b)
	}
}

func TestOnlyAUniqueInviteIsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limits(fakediscord.Limits{Invites: fakediscord.Window{Requests: -1}}))
	first := code(w.invite(`{"max_uses":1}`))
	if again := code(w.invite(`{"max_uses":1}`)); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	if other := code(w.invite(`{"max_uses":2}`)); other == first {
		t.Error("reused for other wishes")
	}
	if own := code(w.invite(`{"max_uses":1,"unique":true}`)); own == first {
		t.Error("not unique")
	}
	if n := len(w.Invites(w.guild.ID)); n != 3 {
		t.Errorf("%d invites", n)
	}
}

func TestAnInviteIsUsedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := code(w.invite(`{"max_uses":1,"unique":true}`))
	if err := w.JoinBy(c, w.ada); err != nil {
		t.Fatal(err)
	}
	if in := w.Invites(w.guild.ID); len(in) != 1 || in[0].Uses != 0 || !in[0].Unique {
		t.Errorf("used by a member: %+v", in)
	}
	if err := w.JoinBy(c, w.grace); err != nil {
		t.Fatal(err)
	}
	w.expectGone(c)
}

func (w *world) expectGone(code string) {
	w.t.Helper()
	r := w.do("GET", "/invites/"+code, "")
	var refused *fakediscord.Error
	err := w.JoinBy(code, w.NewUser(fakediscord.User{}).ID)
	if r.status != 404 || r.code() != 10006 || !errors.As(err, &refused) || refused.Code != 10006 {
		w.t.Errorf("%d %s, %v", r.status, r.text, err)
	}
}

func TestAnInviteExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := code(w.invite(`{"max_age":3600}`))
	w.clock.move(time.Hour - time.Second)
	r := w.expect("GET", "/invites/"+c+"?with_counts=true", "", 200, 0)
	if r.body["approximate_member_count"] != 3. || r.body["max_uses"] != nil {
		t.Errorf("%s", r.text)
	}
	w.clock.move(time.Second)
	w.expectGone(c)
	if in := w.Invites(w.guild.ID); len(in) != 0 {
		t.Errorf("%v", in)
	}
}

func TestAnInviteBringsItsRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := fmt.Sprintf(`{"role_ids":[%q]}`, w.role)
	c := code(w.invite(body))
	for _, user := range []string{w.grace, w.ada} { // one who joins, one who is there
		if err := w.JoinBy(c, user); err != nil {
			t.Fatal(err)
		}
		if got := w.Roles(w.guild.ID, user); !slices.Equal(got, []string{w.role}) {
			t.Errorf("%v", got)
		}
	}
	w.MoveRole(w.guild.ID, w.role, botPosition)
	w.expect("POST", "/channels/"+w.guild.ChannelID+"/invites", body, 403, 50013)
}

func TestInvitesCanBeRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limits(fakediscord.Limits{Invites: fakediscord.Window{Requests: -1}}))
	path := "/channels/" + w.guild.ChannelID + "/invites"
	w.expect("POST", path, `{"max_age":604801}`, 400, 50035)
	w.expect("POST", path, `{"max_uses":101}`, 400, 50035)
	w.expect("POST", "/channels/123/invites", `{}`, 404, 10003)
	category := list(t, w.do("GET", w.guildPath()+"/channels", ""))[0]["id"].(string)
	w.expect("POST", "/channels/"+category+"/invites", `{}`, 400, 50024)
	if r := w.do("POST", path, `{}`, "Content-Type", "text/plain"); r.status != 400 || r.code() != 50035 {
		t.Errorf("%d %s", r.status, r.text)
	}
	w.AddBot(w.guild.ID, fakediscord.ManageRoles, botPosition)
	w.expect("POST", path, `{}`, 403, 50013)
	w.RemoveBot(w.guild.ID)
	w.expect("POST", path, `{}`, 403, 50001)
}

func TestAGuildHasRoomForSoManyInvites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.EditGuild(w.guild.ID, func(g *fakediscord.Guild) { g.MaxInvites = 2 })
	w.invite(`{"unique":true}`)
	w.invite(`{"unique":true}`)
	w.expect("POST", "/channels/"+w.guild.ChannelID+"/invites", `{"unique":true}`, 400, 30016)
	w.invite(`{}`) // one of them serves
	w.clock.move(24 * time.Hour)
	w.invite(`{"unique":true}`)
}

func TestDeletingAndListingInvitesNeedsMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := code(w.invite(`{}`))
	w.expect("DELETE", "/invites/"+c, "", 404, 10006)
	w.expect("GET", w.guildPath()+"/invites", "", 403, 50013)
	w.AddBot(w.guild.ID, fakediscord.ViewAuditLog, botPosition)
	if got := list(t, w.do("GET", w.guildPath()+"/invites", "")); len(got) != 1 || got[0]["uses"] != nil {
		t.Errorf("with the audit log: %v", got)
	}
	w.AddBot(w.guild.ID, fakediscord.ManageGuild, botPosition)
	if got := list(t, w.do("GET", w.guildPath()+"/invites", "")); len(got) != 1 || got[0]["uses"] != 0. {
		t.Errorf("with the guild: %v", got)
	}
	w.expect("DELETE", "/invites/"+c, "", 200, 0)
	w.expectGone(c)
	w.AddBot(w.guild.ID, fakediscord.CreateInstantInvite|fakediscord.ManageChannels, botPosition)
	w.expect("DELETE", "/invites/"+code(w.invite(`{}`)), "", 200, 0)
}
