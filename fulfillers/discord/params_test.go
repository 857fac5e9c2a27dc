package discord

import (
	"encoding/json"
	"testing"

	"fulfilld/grant"

	"github.com/google/go-cmp/cmp"
)

func TestParametersAreReadFromEveryOrigin(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]params{
		`{"guild_id":"1","role_ids":["3","2"],"kick_member":true}`:                         {"1", []string{"2", "3"}, true},
		`{"guild_id":"1","role_ids":"2, 3,,2 ","kick_member":"true"}`:                      {"1", []string{"2", "3"}, true},
		`{"guild_id":"1","role_id":"2","kick_member":false,"guild_token":"x"}`:             {"1", []string{"2"}, false},
		`{"guild_id":" 1 ","role_id":"2","role_ids":["3"]}`:                                {"1", []string{"2", "3"}, false},
		`{"guild_id":"1","role_id":"2","role_ids":null,"kick_member":null}`:                {"1", []string{"2"}, false},
		`{"guild_id":"18446744073709551615","role_id":"2","kick_member":"false","new":{}}`: {"18446744073709551615", []string{"2"}, false},
	} {
		got, err := parse(json.RawMessage(raw))
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", raw, diff)
		}
	}
}

func TestCheckNamesTheFieldAndTheMend(t *testing.T) {
	t.Parallel()
	role := ": must be a Discord id, a number of up to 20 digits in quotes; switch on Developer Mode in Discord and use Copy Role ID"
	for raw, want := range map[string]string{
		`[]`:                               "parameters: must be a JSON object",
		`{`:                                "parameters: must be a JSON object",
		``:                                 "guild_id: must name one guild; write its id\nrole_ids: is missing; name at least one role",
		`{"guild_id":"","role_ids":[]}`:    "guild_id: must name one guild; write its id\nrole_ids: is missing; name at least one role",
		`{"guild_id":"1,2","role_id":"3"}`: "guild_id: must name one guild; write its id",
		`{"guild_id":"1","role_id":"1"}`:   "role_ids: the role with the guild's own id is @everyone, which all members have; name another",
		`{"guild_id":"1","role_id":2}`:     "role_id" + role,
		`{"guild_id":"1","role_id":"two"}`: "role_id" + role,
		`{"guild_id":"1","role_ids":["2","3x",{}]}`:         "role_ids[1]" + role + "\nrole_ids[2]" + role,
		`{"guild_id":"1","role_ids":"2,-3"}`:                "role_ids[1]" + role,
		`{"guild_id":"1","role_id":"18446744073709551616"}`: "role_id" + role,
		`{"guild_id":"1","role_id":"02"}`:                   "role_id" + role,
		`{"guild_id":"1","role_id":"2","kick_member":1}`:    "kick_member: must be true or false",
		`{"guild_id":"1","role_id":"two","kick_member":[]}`: "role_id" + role + "\nkick_member: must be true or false",
	} {
		if err := new(Fulfiller).Check(json.RawMessage(raw)); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", raw, err, want)
		}
	}
}

func TestOddPropertiesNameNoInvitation(t *testing.T) {
	t.Parallel()
	good := func() grant.Properties {
		return grant.Properties{inviteGuild: "1", inviteURL: "https://discord.gg/aB-9", inviteExpires: "2026-11-21T12:00:00Z"}
	}
	if in, ok := invitationIn(good()); !ok || in.code() != "aB-9" {
		t.Errorf("invitation %+v, %v", in, ok)
	}
	for key, values := range map[string][]any{
		inviteGuild:   {nil, 1, "", "../1"},
		inviteURL:     {nil, "", "https://discord.gg/", "https://discord.gg/a?b", "https://discord.gg/.."},
		inviteExpires: {nil, "", "soon", 7.0},
	} {
		for _, v := range values {
			p := good()
			p[key] = v
			if _, ok := invitationIn(p); ok {
				t.Errorf("%s %v passes", key, v)
			}
		}
	}
}
