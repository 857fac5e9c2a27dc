package shape

import (
	"encoding/json"
	"testing"

	"fulfilld/grant"
)

func TestPropertiesAreThoseToShow(t *testing.T) {
	t.Parallel()
	of := func(text string) grant.FulfilmentView { return grant.FulfilmentView{Properties: json.RawMessage(text)} }
	for want, v := range map[string]grant.View{
		`{}`: {Fulfilments: []grant.FulfilmentView{of(`{"_delivered":"x"}`)}},
		`{"account_id":"1","display_key":"a","seat":"b"}`: {
			Grant:       grant.Grant{Properties: json.RawMessage(`{"account_id":"1"}`)},
			Fulfilments: []grant.FulfilmentView{of(`{"display_key":"a"}`), of(`{"display_key":"c","seat":"b","_delivered":"x"}`), of("")},
		},
		`{"display_key":"ours","license_key_id":"ours","user_provided_key":true}`: {
			Grant:       grant.Grant{Properties: json.RawMessage(`{"license_key_id":"theirs","display_key":"theirs","user_provided_key":true}`)},
			Fulfilments: []grant.FulfilmentView{of(`{"license_key_id":"ours","display_key":"ours"}`)},
		},
		`{"account_id":"7","granted_account_id":"7","guild_id":"1","role_id":"2","role_ids":["8"],"user_id":"9"}`: {
			Grant:       grant.Grant{Properties: json.RawMessage(`{"account_id":"7","guild_id":"1","role_id":"2","granted_account_id":"7"}`)},
			Fulfilments: []grant.FulfilmentView{of(`{"guild_id":"3","role_ids":["8"],"user_id":"9","account_id":"9"}`)},
		},
		`{"account_id":"9","files":["ours"]}`: {
			Grant:       grant.Grant{Properties: json.RawMessage(`{"files":["theirs"]}`)},
			Fulfilments: []grant.FulfilmentView{of(`{"files":["ours"],"account_id":"9"}`)},
		},
	} {
		if got := string(Properties(v)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
