package custom

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"fulfilld/grant"
	"fulfilld/grant/shape"
)

// The properties that are ours.
const (
	delivered = "_delivered" // a digest of what was delivered last
	unheardOf = "_may_know"  // the URLs that may have been told without our hearing of it
)

// What is kept of an answer's properties.
const (
	mostProperties = 32
	longestKey     = 64
	longestText    = 1024 // bytes
)

// dataOf is a grant as it is told: the word is ours, whatever the shop's.
func dataOf(f grant.Fulfilment, owed bool, properties grant.Properties) shape.Grant {
	v := grant.View{Grant: f.Grant, Benefit: f.Benefit, Customer: f.Customer, Member: f.Member}
	if v.Word = grant.SaysRevoked; owed {
		v.Word = grant.SaysGranted
	}
	if owed {
		v.RevokedAt = time.Time{}
	} else {
		v.GrantedAt = time.Time{}
	}
	if text, err := json.Marshal(properties); err == nil && len(properties) > 0 {
		v.Fulfilments = []grant.FulfilmentView{{Properties: text}}
	}
	d := shape.OfGrant(v)
	d.Benefit, _ = json.Marshal(shape.OfBenefit(f.Benefit)) // read from JSON
	return d
}

// digest tells whether what a delivery carries has changed, but for what the
// receiver itself has answered.
func digest(f grant.Fulfilment) string { return digestOf(dataOf(f, true, nil)) }

// digestOf leaves out when the grant was modified: a renewal, which changes nothing
// else in it, is told by itself.
func digestOf(d shape.Grant) string {
	d.ModifiedAt = shape.Time{}
	text, _ := json.Marshal(d) // read from JSON
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// shown is what a fulfilment has to show, but for our own.
func shown(p grant.Properties) grant.Properties {
	p = maps.Clone(p)
	delete(p, delivered)
	delete(p, unheardOf)
	return p
}

// propertiesOf are those of an answer, as far as they are flat and small; before
// are kept where it has none.
func propertiesOf(answer []byte, before grant.Properties) grant.Properties {
	var a struct{ Properties map[string]any }
	if json.Unmarshal(answer, &a) != nil || a.Properties == nil {
		kept := grant.Properties{}
		maps.Copy(kept, shown(before))
		delete(kept, "note") // the benefit's
		return kept
	}
	p := grant.Properties{}
	for _, key := range slices.Sorted(maps.Keys(a.Properties)) {
		if v := a.Properties[key]; len(p) < mostProperties && key != "" && !grant.Unshown(key) && len(key) <= longestKey && isFlat(v) {
			p[key] = v
		}
	}
	return p
}

func isFlat(v any) bool {
	switch v := v.(type) {
	case string:
		return len(v) <= longestText
	case bool, float64:
		return true
	}
	return false
}

// withNote puts what the benefit says to the buyer before what the merchant's
// server says.
func withNote(p grant.Properties, note string) grant.Properties {
	if note != "" {
		p["note"] = note
	}
	return p
}
