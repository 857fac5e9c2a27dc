package polar_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
	"fulfilld/polar"
)

const (
	one = "11111111-1111-4111-8111-111111111111"
	two = "22222222-2222-4222-8222-222222222222"
	six = "66666666-6666-4666-8666-666666666666"
)

func day(n int) time.Time { return time.Date(2026, 9, n, 0, 0, 0, 0, time.UTC) }

// said is an event of the 20th about the given data.
func said(typ, data string) string {
	return fmt.Sprintf(`{"type":%q,"timestamp":"2026-09-20T00:00:00Z","data":{%s}}`, typ, data)
}

const ids = `"id":"` + one + `","customer_id":"` + two + `","benefit_id":"` + six + `"`

func TestBodyDecidesAndNotTheName(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"benefit_grant.created", "benefit_grant.revoked", "benefit_grant.cycled", "benefit_grant.new", "benefit.granted", "benefit.revoked"} {
		for flags, want := range map[string]grant.Word{
			`,"is_granted":true,"is_revoked":false`: grant.SaysGranted,
			`,"is_granted":false,"is_revoked":true`: grant.SaysRevoked,
			`,"is_granted":false`:                   grant.SaysNone,
		} {
			g := decode(t, said(typ, ids+flags)).Grants[0]
			if g.Word != want {
				t.Errorf("%s %s: %s", typ, flags, g.Word)
			}
		}
	}
}

func TestVersionIsTheLatestTimeAndThenTheEnvelopes(t *testing.T) {
	t.Parallel()
	for _, latest := range []string{"modified_at", "granted_at", "revoked_at", "created_at"} {
		data := ids
		for _, field := range []string{"modified_at", "granted_at", "revoked_at", "created_at"} {
			at := "2026-09-02T01:00:00.000000+01:00"
			if field == latest {
				at = "2026-09-03T00:00:00Z"
			}
			data += fmt.Sprintf(",%q:%q", field, at)
		}
		got := decode(t, said("benefit_grant.updated", data)).Grants[0].Version
		if diff := cmp.Diff(grant.Version{At: day(3), Sent: day(20)}, got); diff != "" {
			t.Error(latest, diff)
		}
	}
	ev := grant.Event{Type: "benefit_grant.created", ReceivedAt: day(21), Body: []byte(`{"data":{` + ids + `}}`)}
	if news, err := polar.Decode(ev); err != nil || !news.Grants[0].Version.Sent.Equal(day(21)) {
		t.Errorf("without a timestamp: %+v, %v", news, err)
	}
}

func TestCycleKeysSortAsTimeDoes(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{
		"2026-09-02T00:00:00Z":             "2026-09-02T00:00:00.000000Z",
		"2026-09-02T02:00:00.10+02:00":     "2026-09-02T00:00:00.100000Z",
		"2026-09-02T00:00:00.000000+00:00": "2026-09-02T00:00:00.000000Z",
	} {
		if g := decode(t, said("benefit_grant.cycled", ids+`,"modified_at":"`+at+`"`)).Grants[0]; g.Cycle != want {
			t.Errorf("%s: %s", at, g.Cycle)
		}
	}
	if g := decode(t, said("benefit_grant.cycled", ids)).Grants[0]; g.Cycle != "2026-09-20T00:00:00.000000Z" {
		t.Errorf("without a time: %s", g.Cycle)
	}
	if g := decode(t, said("benefit_grant.updated", ids+`,"modified_at":"2026-09-02T00:00:00Z"`)).Grants[0]; g.Cycle != "" {
		t.Errorf("no renewal: %s", g.Cycle)
	}
}

func TestMalformedCompanyDoesNotLoseTheGrant(t *testing.T) {
	t.Parallel()
	for _, v := range []string{`null`, `{}`, `[]`, `7`, `""`, `{"id":"x"}`, `{"id":7}`, `{"id":"` + one + `","created_at":7}`, `{"id":"` + one + `","metadata":[],"email":{},"customer_id":1}`} {
		for _, who := range []string{"customer", "member", "benefit"} {
			news := decode(t, said("benefit_grant.created", fmt.Sprintf(`%s,"is_granted":true,%q:%s`, ids, who, v)))
			if len(news.Grants) != 1 || news.Grants[0].Word != grant.SaysGranted {
				t.Errorf("%s %s: %+v", who, v, news)
			}
		}
	}
}

func TestErrorsNameThePathAndNotTheValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ typ, data, want string }{
		{"benefit_grant.created", `"id":"` + one + `"`, "data.customer_id: is missing"},
		{"benefit_grant.created", `"id":"` + strings.ToUpper(two[:35]) + `A"`, "data.id: is not a lower-case UUID"},
		{"benefit_grant.created", `"id":["secret"]`, "data.id: is not a lower-case UUID"},
		{"benefit_grant.created", ids + `,"member_id":7`, "data.member_id: is not a lower-case UUID"},
		{"benefit_grant.created", ids + `,"is_granted":"secret"`, "data.is_granted: is a JSON string, want bool"},
		{"benefit_grant.created", ids + `,"granted_at":"secret"`, "data.granted_at: is not a timestamp"},
		{"benefit_grant.created", ids + `,"modified_at":"2026-09-31T00:00:00Z"`, "data.modified_at: is not a timestamp"},
		{"benefit.created", `"id":"` + one + `","metadata":[]`, "data.metadata: is a JSON array, want object"},
		{"benefit.created", `"id":"` + one + `","metadata":{"x":1e999}`, "data.metadata: is a JSON number, want number within range"},
		{"customer.created", `"email":"secret"`, "data.id: is missing"},
		{"customer.created", `"id":"` + one + `","email":1`, "data.email: is a JSON number, want string"},
		{"customer.state_changed", `"id":"` + one + `","granted_benefits":[{"id":"` + one + `"}]`, "data.granted_benefits[0].benefit_id: is missing"},
		{"customer.state_changed", `"id":"` + one + `","active_subscriptions":[{"id":7}]`, "data.active_subscriptions[0].id: is not a lower-case UUID"},
		{"customer.state_changed", `"id":"` + one + `","granted_benefits":{}`, "data.granted_benefits: is a JSON object, want array"},
		{"member.created", `"id":"` + one + `"`, "data.customer_id: is missing"},
		{"customer_seat.revoked", ``, "data.id: is missing"},
		{"subscription.active", `"id":"` + one + `"`, "data.customer_id: is missing"},
		{"order.paid", ids + `,"total_amount":99999999999999999999999999`, "data.total_amount: is a JSON number, want integer"},
		{"refund.created", `"id":"` + one + `"`, "data.order_id: is missing"},
		{"product.updated", `"id":"` + one + `"`, "data.benefits: is missing"},
		{"product.updated", `"id":"` + one + `","benefits":[{}]`, "data.benefits[0].id: is missing"},
	} {
		_, err := polar.Decode(event([]byte(said(c.typ, c.data))))
		if err == nil || err.Error() != c.typ+": "+c.want {
			t.Errorf("%s {%s}: %v, want %s", c.typ, c.data, err, c.want)
		}
	}
}

func TestBrokenBodiesAreErrors(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		``:                               "body: unexpected end of JSON input",
		`null`:                           "data: is missing",
		`[]`:                             "body: is a JSON array, want object",
		`{"data":null}`:                  "data.id: is missing",
		`{"data":[]}`:                    "data: is a JSON array, want object",
		`{"timestamp":7,"data":{}}`:      "timestamp: is not a timestamp",
		"{\"data\":{\"name\":\"\xff\"}}": "body: is not UTF-8",
		`{"data":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`: "body: invalid character '[' exceeded max depth",
	} {
		_, err := polar.Decode(grant.Event{Type: "customer.created", Body: []byte(body)})
		if err == nil || err.Error() != "customer.created: "+want {
			t.Errorf("%.40s: %v, want %s", body, err, want)
		}
	}
}
