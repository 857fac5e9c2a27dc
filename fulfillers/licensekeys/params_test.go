package licensekeys

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestCheckAcceptsWhatThePlatformSends(t *testing.T) {
	for _, params := range []string{
		``,
		`null`,
		`{}`,
		`{"prefix":null,"expires":null,"activations":null,"limit_usage":null}`,
		`{"prefix":"ACME","expires":{"ttl":1,"timeframe":"year"},"activations":{"limit":3,"enable_customer_admin":true},"limit_usage":null}`,
		`{"expires":{"ttl":457,"timeframe":"year"}}`,
		`{"expires":{"ttl":1200,"timeframe":"month"}}`,
		`{"expires":{"ttl":36500,"timeframe":"day"}}`,
		`{"activations":{"limit":2147483647}}`,
		`{"limit_usage":9007199254740993}`,
		`{"expire_subscriptions":true}`,
		`{"a_newer_property":{"deep":[1]}}`,
	} {
		if err := new(Fulfiller).Check(json.RawMessage(params)); err != nil {
			t.Errorf("%s: %v", params, err)
		}
	}
}

func TestCheckNamesTheFieldAndTheMend(t *testing.T) {
	for params, want := range map[string]string{
		`[]`: "parameters: must be a JSON object",
		`{`:  "parameters: must be a JSON object",
		`{"prefix":"` + strings.Repeat("A", 65) + `"}`: "prefix: must be at most 64 characters; shorten it",
		`{"prefix":"A\u0000B"}`:                        "prefix: has a character that cannot be printed; remove it",
		`{"prefix":{}}`:                                "prefix: must be text, not object",
		`{"expires":5}`:                                "expires: must be an object or null, not number",
		`{"expires":{"ttl":"1","timeframe":"day"}}`:    "expires.ttl: must be a whole number, not string",
		`{"expires":{"ttl":1,"timeframe":"week"}}`:     "expires.timeframe: must be year, month or day",
		`{"expires":{"ttl":1}}`:                        "expires.timeframe: must be year, month or day",
		`{"expires":{"ttl":-1,"timeframe":"day"}}`:     "expires.ttl: must be 1 to 36500 for the timeframe day; remove expires if the key never ends",
		`{"expires":{"ttl":458,"timeframe":"year"}}`:   "expires.ttl: must be 1 to 457 for the timeframe year; remove expires if the key never ends",
		`{"activations":{"limit":0}}`:                  "activations.limit: must be 1 to 2147483647; remove activations if the key needs none",
		`{"activations":{"limit":2147483648}}`:         "activations.limit: must be 1 to 2147483647; remove activations if the key needs none",
		`{"limit_usage":-3}`:                           "limit_usage: must be at least 1; remove it if use is not limited",
		`{"expire_subscriptions":"yes"}`:               "expire_subscriptions: must be true or false, not string",
		`{"activations":{},"limit_usage":0}`: "activations.limit: must be 1 to 2147483647; remove activations if the key needs none\n" +
			"limit_usage: must be at least 1; remove it if use is not limited",
	} {
		if err := new(Fulfiller).Check(json.RawMessage(params)); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", params, err, want)
		}
	}
}

func TestCustomersEndActivationsWhereTheBenefitSaysSo(t *testing.T) {
	for params, want := range map[string]bool{
		`{"activations":{"limit":3,"enable_customer_admin":true}}`:  true,
		`{"activations":{"limit":3,"enable_customer_admin":false}}`: false,
		`{"activations":{"limit":3}}`:                               false,
		`{"activations":null}`:                                      false,
		`{"activations":{"limit":0,"enable_customer_admin":true}}`:  false, // no key has these
		``: false,
	} {
		if got := CustomerAdmin(json.RawMessage(params)); got != want {
			t.Errorf("%s: %v", params, got)
		}
	}
}
