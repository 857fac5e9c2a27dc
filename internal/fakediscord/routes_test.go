package fakediscord_test

import (
	"net/http"
	"testing"
)

func TestBothVersionsAnswerAndOthersDoNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for prefix, want := range map[string]int{"/api/v9": 200, "/api/v10": 200, "/api/v8": 404, "/api": 404, "": 404} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.url+prefix+"/users/@me", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", w.token)
		r, err := send(req)
		if err != nil || r.status != want {
			t.Errorf("%q: %d %s, %v; want %d", prefix, r.status, r.text, err, want)
		}
	}
}

func TestSlipsInPathsAreNotForgiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slips := []string{
		w.guildPath() + "/members/", w.guildPath() + "//members/" + w.ada, w.memberPath(w.ada) + "/",
		w.memberPath(".."), w.memberPath("%2e%2e"), "/guilds//roles", w.guildPath() + "/members/" + w.ada + "/roles/",
	}
	for _, path := range slips {
		r := w.do("DELETE", path, "")
		if r.status != 404 || r.text != `{"code":0,"message":"404: Not Found"}` {
			t.Errorf("%s: %d %s", path, r.status, r.text)
		}
	}
	if got := w.Unrouted(); len(got) != len(slips) || got[0].Path != slips[0] || got[0].Status != 404 {
		t.Errorf("unrouted: %v", got)
	}
	if _, in := w.Member(w.guild.ID, w.ada); !in {
		t.Error("a member was lost to a slip")
	}
}

func TestWhatIsNoIDNamesItsField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, field := range map[string]string{
		w.memberPath("ada"):                  "user_id",
		w.memberPath("@me"):                  "user_id",
		w.memberPath("1%2F2"):                "user_id",
		w.memberPath("99999999999999999999"): "user_id",
		"/guilds/+1/members/" + w.ada:        "guild_id",
		"/guilds/0":                          "guild_id",
		w.guildPath() + "/bans/-1":           "user_id",
		"/users/x":                           "user_id",
	} {
		r := w.expect("GET", path, "", 400, 50035)
		errs, _ := r.body["errors"].(map[string]any)
		if errs[field] == nil || len(errs) != 1 {
			t.Errorf("%s: %s; want an error of %s", path, r.text, field)
		}
	}
	w.expect("PUT", w.rolePath(w.ada, "pro"), "", 400, 50035)
}

func TestABadTokenIsUnauthorized(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.token
	for _, token := range []string{"", "Bot ", "Bot wrong", "Bearer bot-token", "bot-token"} {
		w.token = token
		r := w.do("GET", "/users/@me", "")
		if r.status != 401 || r.text != `{"code":0,"message":"401: Unauthorized"}` {
			t.Errorf("%q: %d %s", token, r.status, r.text)
		}
	}
	w.token = good
	w.SetToken("new")
	w.expect("GET", "/users/@me", "", 401, 0)
	w.token = "Bot new"
	w.expect("GET", "/users/@me", "", 200, 0)
}
