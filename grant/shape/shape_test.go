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
	} {
		if got := string(Properties(v)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
