package handlers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"fulfilld/grant"
	"fulfilld/grant/shape"
)

// StateLedger is where a customer's state is looked up.
type StateLedger interface {
	Customer(ctx context.Context, id string) (grant.Customer, error)
	CustomerByExternalID(ctx context.Context, id string) (grant.Customer, error)
	GrantsOf(ctx context.Context, customer string) ([]grant.View, error)
	// GrantedBefore returns which fulfilments are owed and have nothing taken
	// away, though what they are owed now is not through yet.
	GrantedBefore(ctx context.Context, customer string) (map[string]bool, error)
	ActiveSubscriptions(ctx context.Context, customer string) ([]grant.Subscription, error)
	MeterList
}

// stateRoutes are the platform's.
func stateRoutes(l StateLedger) map[string]route {
	scopes := []string{"customers:read", "customers:write"}
	return map[string]route{
		"GET /v1/customers/{id}/state": {scopes, func(r *http.Request) (any, error) {
			id, err := pathID(r)
			if err != nil {
				return nil, err
			}
			c, err := l.Customer(r.Context(), id)
			return stateAnswer(r, l, c, err)
		}},
		"GET /v1/customers/external/{external_id}/state": {scopes, func(r *http.Request) (any, error) {
			id := r.PathValue("external_id")
			if !isText(id) {
				return nil, notFound()
			}
			c, err := l.CustomerByExternalID(r.Context(), id)
			return stateAnswer(r, l, c, err)
		}},
	}
}

// stateAnswer answers a customer's state, or that it is as the asker knows it.
func stateAnswer(r *http.Request, l StateLedger, c grant.Customer, err error) (any, error) {
	if err == nil && !c.DeletedAt.IsZero() {
		err = notFound()
	}
	if err != nil {
		return nil, err
	}
	body, err := stateOf(r.Context(), l, c)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	header := map[string]string{"ETag": tag, "Cache-Control": "private, no-cache"} // keep it, and ask each time
	if matches(r.Header.Values("If-None-Match"), tag) {
		return answer{status: http.StatusNotModified, header: header}, nil
	}
	return answer{header: header, body: body}, nil
}

// matches reports whether a tag is among those of If-None-Match. A proxy that
// compresses may have made it a weak one.
func matches(lists []string, tag string) bool {
	for one := range strings.SplitSeq(strings.Join(lists, ","), ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

// stateOf is the platform's CustomerState, and behind it the flags that are on.
func stateOf(ctx context.Context, l StateLedger, c grant.Customer) (json.RawMessage, error) {
	subscriptions, err := l.ActiveSubscriptions(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	grants, err := l.GrantsOf(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	before, err := l.GrantedBefore(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	grants = slices.DeleteFunc(grants, func(v grant.View) bool { return !isGranted(v, before) })
	balances, err := metersOfCustomer(ctx, l, c.ID)
	if err != nil {
		return nil, err
	}
	body := customerItem(c)
	for _, part := range []struct {
		name string
		v    any
	}{
		{"active_subscriptions", items(subscriptions, subscriptionItem)},
		{"granted_benefits", items(grants, stateGrantOf)},
		{"active_meters", items(balances, balanceOf)},
		{"flags", flagsOf(grants, before)},
	} {
		if body, err = behind(body, part.name, part.v); err != nil {
			return nil, err
		}
	}
	return body.(json.RawMessage), nil
}

// isGranted reports whether a customer has what a grant gives. An edit of the
// benefit that is not through yet takes nothing from whoever has it.
func isGranted(v grant.View, before map[string]bool) bool {
	has := false
	for _, f := range v.Fulfilments {
		switch {
		case f.State == grant.Granted || before[f.ID]:
			has = true
		case f.State != grant.Revoked && f.State != grant.Unmanaged && f.Because != "unrouted":
			return false
		}
	}
	return has
}

// items is a list as it is shown: empty, it is no null.
func items[T, V any](all []T, present func(T) V) []V {
	out := make([]V, 0, len(all))
	for _, v := range all {
		out = append(out, present(v))
	}
	return out
}

// subscriptionItem is what the platform last said of a subscription, or the
// little that is known without that.
func subscriptionItem(s grant.Subscription) any {
	if len(s.Body) > 0 {
		return s.Body
	}
	return struct {
		ID        string `json:"id"`
		Status    string `json:"status"`
		ProductID text   `json:"product_id"`
	}{s.ID, s.Status, text(s.ProductID)}
}

// stateGrant is the platform's CustomerStateBenefitGrant.
type stateGrant struct {
	ID         string          `json:"id"`
	CreatedAt  stamp           `json:"created_at"`
	ModifiedAt stamp           `json:"modified_at"`
	GrantedAt  stamp           `json:"granted_at"`
	BenefitID  string          `json:"benefit_id"`
	Type       string          `json:"benefit_type"`
	Metadata   json.RawMessage `json:"benefit_metadata"`
	Properties json.RawMessage `json:"properties"`
}

func stateGrantOf(v grant.View) stateGrant {
	return stateGrant{
		v.ID, stamp(v.CreatedAt), stamp(v.ModifiedAt), stamp(grantedAt(v)), v.BenefitID, v.Benefit.Type, metadataOf(v.Benefit), shape.Properties(v),
	}
}

// grantedAt is when the shop granted it, or, where it never said, first told of it.
func grantedAt(v grant.View) time.Time {
	if v.GrantedAt.IsZero() {
		return v.CreatedAt
	}
	return v.GrantedAt
}

// metadataOf is a benefit's metadata as the platform sent them.
func metadataOf(b grant.Benefit) json.RawMessage {
	var body struct {
		Metadata json.RawMessage `json:"metadata"`
	}
	_ = json.Unmarshal(b.Body, &body) // an own benefit has no body
	return object(body.Metadata, "{}")
}

// flagItem is a feature flag that is on.
type flagItem struct {
	Enabled   bool            `json:"enabled"`
	Metadata  json.RawMessage `json:"metadata"`
	BenefitID string          `json:"benefit_id"`
}

// flagsOf are the flags of grants. Of two grants of one flag the later counts.
func flagsOf(grants []grant.View, before map[string]bool) map[string]flagItem {
	flags := map[string]flagItem{}
	for _, v := range grants {
		for _, f := range v.Fulfilments {
			if f.Kind == "feature_flag" && (f.State == grant.Granted || before[f.ID]) {
				metadata := metadataOf(v.Benefit)
				flags[cmp.Or(keyIn(f.Properties), keyIn(metadata), v.BenefitID)] = flagItem{true, metadata, v.BenefitID}
			}
		}
	}
	return flags
}

// keyIn is what stands under "key": a text, or a number or a boolean as its JSON.
func keyIn(object json.RawMessage) string {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(object, &all) // without one there is no key
	var text string
	if key := all["key"]; json.Unmarshal(key, &text) != nil && len(key) > 0 && key[0] != '{' && key[0] != '[' {
		return string(key)
	}
	return text
}
