package polar

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

//go:embed examples/*.json
var examples embed.FS

// Template returns an example body of an event, about a benefit of the given
// type where there is a choice.
func Template(eventType, benefitType string) ([]byte, error) {
	files, err := fs.Glob(examples, "examples/*.json")
	if err != nil {
		return nil, err
	}
	var first string
	for _, f := range files { // sorted
		name := strings.TrimSuffix(strings.TrimPrefix(f, "examples/"), ".json")
		if name == eventType || name == eventType+"."+benefitType {
			return examples.ReadFile(f)
		}
		if first == "" && strings.HasPrefix(name, eventType+".") {
			first = f
		}
	}
	if first == "" {
		return nil, fmt.Errorf("there is no example of %q; there are %s", eventType, strings.Join(exampleTypes(files), ", "))
	}
	return examples.ReadFile(first)
}

func exampleTypes(files []string) (types []string) {
	for _, f := range files {
		parts := strings.SplitN(strings.TrimPrefix(f, "examples/"), ".", 3)
		types = append(types, parts[0]+"."+strings.TrimSuffix(parts[1], ".json"))
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// Personal is whom and what an example is made to be about. What is empty stays
// as in the example.
type Personal struct {
	Type                    string // of the event
	CustomerID, Email, Name string
	GrantID, BenefitID      string
	At                      time.Time // when the shop says it happened
}

// Personalise rewrites an example. A grant's scope follows its id, so that each
// grant made up has a purchase of its own.
func Personalise(body []byte, p Personal) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var e map[string]any
	if err := d.Decode(&e); err != nil {
		return nil, err
	}
	data, ok := e["data"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the body has no data")
	}
	if p.Type != "" {
		e["type"] = p.Type
	}
	typ, _ := e["type"].(string)
	e["timestamp"] = wireTime(p.At)
	p.people(typ, data)
	if strings.HasPrefix(typ, "benefit_grant.") {
		p.grant(typ, data)
	} else if _, has := data["modified_at"]; has {
		data["modified_at"] = wireTime(p.At)
	}
	return json.Marshal(e)
}

func wireTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z07:00") }

// people puts the customer and the benefit in wherever they are named.
func (p Personal) people(typ string, data map[string]any) {
	set := func(m map[string]any, key, v string) {
		if _, has := m[key]; has && v != "" {
			m[key] = v
		}
	}
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

// grant sets a grant's id, scope and times.
func (p Personal) grant(typ string, data map[string]any) {
	if p.GrantID != "" {
		data["id"] = p.GrantID
		for _, scope := range [...]string{"subscription_id", "order_id"} {
			if data[scope] != nil {
				data[scope] = uuid.NewSHA1(uuid.NameSpaceOID, []byte(scope+p.GrantID)).String()
			}
		}
	}
	at, before := wireTime(p.At), wireTime(p.At.Add(-time.Hour))
	switch {
	case typ == "benefit_grant.created":
		data["created_at"], data["modified_at"] = at, nil
		if data["granted_at"] != nil {
			data["granted_at"] = at
		}
	case data["is_revoked"] == true:
		data["created_at"], data["modified_at"], data["revoked_at"] = before, at, at
	default:
		data["created_at"], data["modified_at"] = before, at
	}
}
