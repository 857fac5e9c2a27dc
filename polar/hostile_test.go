package polar_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fulfilld/grant"
	"fulfilld/polar"
)

// object is an example's outer object, or its data, to be spoilt.
func object(t *testing.T, text []byte) (m map[string]json.RawMessage) {
	t.Helper()
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// with is the example with one field of its data replaced.
func with(t *testing.T, name, field, value string) string {
	t.Helper()
	e := object(t, example(t, name))
	data := object(t, e["data"])
	data[field] = json.RawMessage(value)
	e["data"], _ = json.Marshal(data)
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// What a grant's word, person and purchase are read from is refused when it is
// malformed; all else is not worth losing the grant for.
func TestMalformedFieldIsRefusedOrIgnored(t *testing.T) {
	t.Parallel()
	const name, address = "benefit_grant.created.github_repository", "ada@private.example"
	refused := regexp.MustCompile(`_at$|_id$|^id$|^is_(granted|revoked)$`)
	whole := object(t, object(t, example(t, name))["data"])
	for _, field := range slices.Sorted(maps.Keys(whole)) {
		for _, v := range []string{`7`, `1e999`, `{}`, `["` + address + `"]`, `"` + address + `"`, `""`, `{"id":{"id":"` + address + `"}}`} {
			news, err := polar.Decode(event([]byte(with(t, name, field, v))))
			switch {
			case refused.MatchString(field) && field != "user_id":
				if err == nil || !strings.HasPrefix(err.Error(), "benefit_grant.created: data."+field+": is ") || strings.Contains(err.Error(), address) {
					t.Errorf("%s of %s: %v", field, v, err)
				}
			case err != nil || len(news.Grants) != 1 || news.Grants[0].Word != grant.SaysGranted:
				t.Errorf("%s of %s loses the grant: %v", field, v, err)
			}
		}
	}
}

func TestMissingFieldIsNamedWhereItIsNeeded(t *testing.T) {
	t.Parallel()
	const name = "benefit_grant.created.github_repository"
	for field := range object(t, object(t, example(t, name))["data"]) {
		_, err := polar.Decode(event([]byte(with(t, name, field, `null`))))
		want := ""
		if field == "id" || field == "customer_id" || field == "benefit_id" {
			want = "benefit_grant.created: data." + field + ": is missing"
		}
		if got := fmt.Sprint(err); got != want && (err != nil || want != "") {
			t.Errorf("%s: %v, want %s", field, err, want)
		}
	}
}

var anyUUID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// Ids reach URLs, dashboards and queries: what is no id must reach nothing,
// wherever in whatever body it stands.
func TestOnlyLowerCaseUUIDsBecomeIDs(t *testing.T) {
	t.Parallel()
	for _, name := range exampleNames(t) {
		body := example(t, name)
		ev := event(body)
		for i, at := range anyUUID.FindAllIndex(body, -1) {
			id := string(body[at[0]:at[1]])
			all := []string{"A" + strings.ToUpper(id[1:]), "../../v1/customers", "1' OR '1'='1", id + "/..", id[:35], id[:35] + `\u0030`, "{" + id + "}"}
			bad := all[i%len(all)] // one a place: the examples have eight hundred
			ev.Body = slices.Concat(body[:at[0]], []byte(bad), body[at[1]:])
			news, err := polar.Decode(ev)
			if err != nil && strings.Contains(err.Error(), bad) {
				t.Errorf("%s: quotes %s: %v", name, bad, err)
			}
			for _, got := range idsOf(reflect.ValueOf(news)) {
				if got != "" && (len(got) != 36 || !anyUUID.MatchString(got)) {
					t.Errorf("%s: %q is an id", name, got)
				}
			}
		}
	}
}

// idsOf are all the ids in news that are the platform's own.
func idsOf(v reflect.Value) (all []string) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, idsOf(v.Index(i))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f, name := v.Field(i), v.Type().Field(i).Name
			switch {
			case f.Kind() == reflect.String && strings.HasSuffix(name, "ID") && name != "ExternalID":
				all = append(all, f.String())
			case v.Type() == reflect.TypeFor[grant.Product]() && name == "Benefits":
				all = append(all, f.Interface().([]string)...)
			case v.Type() == reflect.TypeFor[grant.News]():
				all = append(all, idsOf(f)...)
			}
		}
	}
	return all
}

func TestLastOfTwoEqualKeysCounts(t *testing.T) {
	t.Parallel()
	news := decode(t, said("benefit_grant.created", ids+`,"is_granted":true,"is_revoked":true,"is_revoked":false,"member_id":"`+one+`","member_id":"`+two+`"`))
	same(t, news.Grants[0].Word, grant.SaysGranted)
	same(t, news.Grants[0].MemberID, two)
	if _, err := polar.Decode(event([]byte(said("benefit_grant.created", ids+`,"id":"`+one+`","id":7`)))); err == nil {
		t.Error("the malformed one of two ids passes")
	}
}

func TestDeepNestingIsAnErrorWhereverItIs(t *testing.T) {
	t.Parallel()
	for _, level := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
		deep := strings.Repeat(level[0], 100_000) + "0" + strings.Repeat(level[1], 100_000)
		for _, field := range []string{"id", "customer", "properties", "unheard_of"} {
			body := []byte(said("benefit_grant.created", ids+fmt.Sprintf(`,%q:%s`, field, deep)))
			if _, _, ok := polar.EventType(body); ok {
				t.Error("deep nesting is an event")
			}
			_, err := polar.Decode(grant.Event{Type: "benefit_grant.created", Body: body})
			if err == nil || len(err.Error()) > 100 {
				t.Errorf("%s: %.200s", field, fmt.Sprint(err))
			}
		}
	}
}

func TestEventsOfEveryTypeHaveTheirFate(t *testing.T) {
	t.Parallel()
	effectless := regexp.MustCompile(`^(checkout|discount|organization)\.`)
	for _, typ := range polar.EventTypes {
		news, err := polar.Decode(grant.Event{Type: typ, Body: []byte(`{"data":{}}`)})
		if none := effectless.MatchString(typ); none != (news.Ignored != "") || none == (err != nil) {
			t.Errorf("%s: ignored %q, %v", typ, news.Ignored, err)
		}
	}
}

func TestTimestampsAreReadInEveryFormPolarUses(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"2026-09-02T00:00:00Z", "2026-09-02T00:00:00.000000Z", "2026-09-02T02:00:00+02:00", "2026-09-01T23:59:00.000-00:01"} {
		news := decode(t, said("benefit_grant.created", ids+`,"granted_at":"`+at+`"`))
		same(t, news.Grants[0].GrantedAt, day(2))
	}
	body := bytes.Replace(example(t, "member.deleted"), []byte(`"timestamp"`), []byte(`"was"`), 1)
	news, err := polar.Decode(grant.Event{Type: "member.deleted", ReceivedAt: day(21), Body: body})
	if err != nil || !news.Members[0].DeletedAt.Equal(day(21)) {
		t.Errorf("without the envelope's time: %+v, %v", news, err)
	}
}
