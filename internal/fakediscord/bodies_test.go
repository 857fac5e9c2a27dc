package fakediscord_test

import (
	"encoding/json"
	"testing"
)

// has checks that an object has these fields, whatever their values.
func has(t *testing.T, what string, o map[string]any, fields ...string) {
	t.Helper()
	for _, f := range fields {
		if _, is := o[f]; !is {
			t.Errorf("%s has no %s: %v", what, f, o)
		}
	}
}

func list(t *testing.T, r reply) []map[string]any {
	t.Helper()
	var out []map[string]any
	if err := json.Unmarshal([]byte(r.text), &out); err != nil {
		t.Fatalf("%s: %v", r.text, err)
	}
	return out
}

func TestTheBotKnowsItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	me := w.do("GET", "/users/@me", "").body
	has(t, "user", me, "username", "discriminator", "global_name", "avatar", "public_flags", "flags", "verified", "locale")
	if me["id"] != w.Bot().ID || me["bot"] != true || me["mfa_enabled"] != true {
		t.Errorf("%v", me)
	}
	for _, path := range []string{"/applications/@me", "/oauth2/applications/@me"} {
		app := w.do("GET", path, "").body
		has(t, path, app, "name", "icon", "description", "bot_public", "bot_require_code_grant", "verify_key", "team", "flags")
		if owner, _ := app["owner"].(map[string]any); app["id"] != w.Bot().ApplicationID || owner["id"] != w.Bot().OwnerID {
			t.Errorf("%s: %v", path, app)
		}
	}
}

func TestAUserIsKnownUntilDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.do("GET", "/users/"+w.ada, "").body
	has(t, "user", u, "avatar", "discriminator", "public_flags", "banner", "accent_color")
	if u["id"] != w.ada || u["username"] != "ada" || u["global_name"] != "Ada" || u["bot"] != nil {
		t.Errorf("%v", u)
	}
	w.expect("GET", "/users/123", "", 404, 10013)
	w.DeleteUser(w.ada)
	w.expect("GET", "/users/"+w.ada, "", 404, 10013)
	w.expect("GET", w.memberPath(w.ada), "", 404, 10013)
}

func TestAGuildTellsItsRolesAndChannels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.do("GET", w.guildPath()+"?with_counts=true", "").body
	has(t, "guild", g, "icon", "features", "emojis", "verification_level", "mfa_level", "premium_tier", "nsfw_level", "max_members")
	if g["owner_id"] != w.guild.OwnerID || g["system_channel_id"] != w.guild.ChannelID || g["approximate_member_count"] != 3. {
		t.Errorf("%v", g)
	}
	channels := list(t, w.do("GET", w.guildPath()+"/channels", ""))
	if len(channels) != 2 || channels[0]["type"] != 4. || channels[1]["id"] != w.guild.ChannelID || channels[1]["type"] != 0. {
		t.Errorf("%v", channels)
	}
}

func TestRolesShowTheHierarchy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	byName := map[any]map[string]any{}
	for _, r := range list(t, w.do("GET", w.guildPath()+"/roles", "")) {
		has(t, "role", r, "color", "colors", "hoist", "mentionable", "flags")
		byName[r["name"]] = r
	}
	if all := byName["@everyone"]; all["id"] != w.guild.ID || all["position"] != 0. || all["permissions"] != "1024" {
		t.Errorf("@everyone: %v", all)
	}
	if pro := byName["pro"]; pro["id"] != w.role || pro["position"] != 3. || pro["managed"] != false || pro["tags"] != nil {
		t.Errorf("pro: %v", pro)
	}
	own := byName["bot"]
	tags, _ := own["tags"].(map[string]any)
	if own["managed"] != true || own["permissions"] != "268435459" || tags["bot_id"] != w.Bot().ID {
		t.Errorf("the bot's own: %v", own)
	}
}

func TestAMemberTellsWhoTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddRoleByHand(w.guild.ID, w.ada, w.role)
	m := w.do("GET", w.memberPath(w.ada), "").body
	has(t, "member", m, "nick", "avatar", "premium_since", "deaf", "mute", "flags", "communication_disabled_until")
	user, _ := m["user"].(map[string]any)
	roles, _ := m["roles"].([]any)
	if user["id"] != w.ada || len(roles) != 1 || roles[0] != w.role || m["pending"] != false {
		t.Errorf("%v", m)
	}
	if m["joined_at"] != "2026-11-21T12:00:00.000000+00:00" {
		t.Errorf("joined at %v", m["joined_at"])
	}
}
