package polar_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"fulfilld/polar"
)

func TestSecretsAreBlankedWhereverTheyAre(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"client_secret":"polar_c_0123456789","id":1}`:                                      `{"client_secret":"","id":1}`,
		`{"data":{"customer_ip_address":"192.0.2.7","customer_ip_address_x":"192.0.2.7"}}`:   `{"data":{"customer_ip_address":"","customer_ip_address_x":"192.0.2.7"}}`,
		`{"customer_ip_address":null,"client_secret":"s","guild_token":"t"}`:                 `{"customer_ip_address":null,"client_secret":"","guild_token":""}`,
		`{"url":"https://x/polar_c_0123456789?y","client_secret":"polar_c_0123456789"}`:      `{"url":"https://x/?y","client_secret":""}`,
		`{"amount":1234567890123456,"client_secret":"1234567890123456","a":"b"}`:             `{"amount":1234567890123456,"client_secret":"","a":"b"}`,
		`{"client_secret":"true","paid":true,"orders":[{"checkout":{"client_secret":"a"}}]}`: `{"client_secret":"","paid":true,"orders":[{"checkout":{"client_secret":""}}]}`,
		`{"guild_token":"s","x":1}`:                           `{"guild_token":"","x":1}`,
		"{ \"guild_token\" :\n\t\"s\" }":                      "{ \"guild_token\" :\n\t\"\" }",
		`[{"a":{"guild_token":"s"}},{"guild_token":"t"}]`:     `[{"a":{"guild_token":""}},{"guild_token":""}]`,
		`{"guild_token":"s\"till \\\" secret\\","guild":"g"}`: `{"guild_token":"","guild":"g"}`,
		`{"guild_token":""}`:                                  `{"guild_token":""}`,
		`{"guild_token":null,"b":"guild_token"}`:              `{"guild_token":null,"b":"guild_token"}`,
		`{"note":"\"guild_token\":\"x\"","b":"c"}`:            `{"note":"\"guild_token\":\"x\"","b":"c"}`,
		`{"guild_token":"s`:                                   `{"guild_token":"`,
		`{"guild_token"`:                                      `{"guild_token"`,
		`{"guild_token":"s\`:                                  `{"guild_token":"`,
		`{}`:                                                  `{}`,
	} {
		given := []byte(body)
		if got := string(polar.StripSecrets(given)); got != want || string(given) != body {
			t.Errorf("%s: %s, want %s; given %s", body, got, want, given)
		}
	}
}

func TestNoGuildTokenIsKept(t *testing.T) {
	t.Parallel()
	for _, name := range exampleNames(t) {
		body := example(t, name)
		// The embedded benefits of every body, as if each were Discord's.
		body = bytes.ReplaceAll(body, []byte(`"properties":{`), []byte(`"properties":{"guild_token":"S3CRET",`))
		body = bytes.ReplaceAll(body, []byte(`,}`), []byte(`}`))
		text, err := json.Marshal(decode(t, string(body)))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("S3CRET")) {
			t.Errorf("%s: %s", name, text)
		}
		if stripped := polar.StripSecrets(body); bytes.Contains(stripped, []byte("S3CRET")) || !json.Valid(stripped) {
			t.Errorf("%s: %s", name, stripped)
		}
	}
}

// checkout is an event of a checkout, as far as it holds what is not kept.
const checkout = `{"type":"checkout.created","timestamp":"2026-09-14T09:12:41.800002Z","data":{"id":"7a1f4c52-6c1e-4d6b-9f0e-2b8f3d1c9a10",` +
	`"client_secret":"polar_c_S3CRETS3CRETS3CRET","url":"https://buy.polar.sh/polar_c_S3CRETS3CRETS3CRET","customer_ip_address":"S3CRET",` +
	`"payment_processor_metadata":{"client_secret":"S3CRET"},"metadata":{"a":"b"}}}`

func TestNothingOfACheckoutOpensIt(t *testing.T) {
	t.Parallel()
	got := polar.StripSecrets([]byte(checkout))
	if bytes.Contains(got, []byte("S3CRET")) || !json.Valid(got) {
		t.Errorf("kept: %s", got)
	}
	if typ, _, ok := polar.EventType(got); !ok || typ != "checkout.created" || !bytes.Contains(got, []byte(`"metadata":{"a":"b"}`)) {
		t.Errorf("more than the secrets is gone: %s", got)
	}
}

func BenchmarkStripNothing(b *testing.B) {
	body := example(b, "benefit_grant.created.github_repository")
	for b.Loop() {
		polar.StripSecrets(body)
	}
}
