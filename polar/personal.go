package polar

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Personal is whom and what an example is made to be about. What is empty stays
// as in the example.
type Personal struct {
	Type                    string // of the event
	CustomerID, Email, Name string
	GrantID, BenefitID      string
	SubscriptionID, OrderID string    // one of them follows GrantID when both are empty
	At                      time.Time // when the shop says it happened
}

// Personalise rewrites an example. All its times move along with its own, and a
// grant's scope follows the grant's id, so that each grant made up has a
// purchase of its own.
func Personalise(body []byte, p Personal) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var e map[string]any
	if err := d.Decode(&e); err != nil {
		return nil, err
	}
	data, ok := e["data"].(map[string]any)
	was, _ := e["timestamp"].(string)
	sent, err := time.Parse(time.RFC3339Nano, was)
	if !ok || err != nil {
		return nil, errors.New("the body has no data or no timestamp")
	}
	if p.At.IsZero() {
		p.At = sent
	}
	shift(e, p.At.Sub(sent))
	e["timestamp"] = wireTime(p.At)
	if p.Type != "" {
		e["type"] = p.Type
	}
	typ, _ := e["type"].(string)
	p.people(typ, data)
	p.purchase(typ, data)
	if strings.HasPrefix(typ, "benefit_grant.") {
		p.times(typ, data)
	} else if _, has := data["modified_at"]; has {
		data["modified_at"] = wireTime(p.At)
	}
	return json.Marshal(e)
}

func wireTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z07:00") }

// shift moves every timestamp in v.
func shift(v any, by time.Duration) any {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			v[k] = shift(inner, by)
		}
	case []any:
		for i, inner := range v {
			v[i] = shift(inner, by)
		}
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return wireTime(t.Add(by))
		}
	}
	return v
}

// set changes a field that is there.
func set(m map[string]any, key, v string) {
	if _, has := m[key]; has && v != "" {
		m[key] = v
	}
}

// people puts the customer and the benefit in wherever they are named.
func (p Personal) people(typ string, data map[string]any) {
	set(data, "customer_id", p.CustomerID)
	set(data, "user_id", p.CustomerID)
	set(data, "benefit_id", p.BenefitID)
	objects := map[string]map[string]any{}
	objects["customer"], _ = data["customer"].(map[string]any)
	objects["benefit"], _ = data["benefit"].(map[string]any)
	family, _, _ := strings.Cut(typ, ".")
	if family == "customer" || family == "benefit" {
		objects[family] = data
	}
	set(objects["customer"], "id", p.CustomerID)
	set(objects["customer"], "email", p.Email)
	set(objects["customer"], "name", p.Name)
	set(objects["benefit"], "id", p.BenefitID)
	if p.CustomerID != "" && data["member"] != nil {
		data["member"], data["member_id"] = nil, nil
	}
}

// purchase sets the ids of a grant and of what was bought.
func (p Personal) purchase(typ string, data map[string]any) {
	family, _, _ := strings.Cut(typ, ".")
	switch family {
	case "benefit_grant":
		set(data, "id", p.GrantID)
		p.scope(data)
	case "subscription":
		set(data, "id", p.SubscriptionID)
	case "order":
		set(data, "id", p.OrderID)
	}
	set(data, "subscription_id", p.SubscriptionID)
	set(data, "order_id", p.OrderID)
}

// scope prepares a grant's, of which there is one.
func (p Personal) scope(data map[string]any) {
	named := p.SubscriptionID != "" || p.OrderID != ""
	for _, key := range [...]string{"subscription_id", "order_id"} {
		switch {
		case named:
			data[key] = nil
		case data[key] != nil && p.GrantID != "":
			data[key] = uuid.NewSHA1(uuid.NameSpaceOID, []byte(key+p.GrantID)).String()
		}
	}
}

// times makes a grant's exact, so that what is made up to happen later is
// newer: a created one starts then, any other has an hour behind it.
func (p Personal) times(typ string, data map[string]any) {
	at, before := wireTime(p.At), wireTime(p.At.Add(-time.Hour))
	data["created_at"], data["modified_at"] = before, at
	if typ == "benefit_grant.created" {
		data["created_at"], data["modified_at"], before = at, nil, at
	}
	if data["granted_at"] != nil {
		data["granted_at"] = before
	}
	if data["revoked_at"] != nil {
		data["revoked_at"] = at
	}
}
