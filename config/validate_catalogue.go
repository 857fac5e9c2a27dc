package config

import (
	"fmt"
	"slices"
)

func (v *validation) benefits(c *Config) {
	seen := map[string]int{}
	for i, b := range c.Benefits {
		path := fmt.Sprintf("benefits[%d]", i)
		v.benefitID(path+".id", b.ID)
		if first, again := seen[b.ID]; again && b.ID != "" {
			v.add(path+".id", fmt.Sprintf("%q is benefits[%d] already", b.ID, first), "keep one entry for a benefit")
		} else {
			seen[b.ID] = i
		}
		if isSlug(b.ID) && len(b.Fulfill) == 0 {
			v.add(path+".fulfill", "is empty", "list at least one kind, as in fulfill: [{kind: license_keys}]")
		}
		for j, f := range b.Fulfill {
			v.kind(fmt.Sprintf("%s.fulfill[%d].kind", path, j), f.Kind)
		}
	}
}

func (v *validation) benefitID(path, id string) {
	if id == "" {
		v.add(path, "is missing", "write the platform's benefit id, or "+aSlug+" for a benefit of your own")
	} else if !isUUID(id) && !isSlug(id) {
		v.add(path, fmt.Sprintf("%q is neither a UUID nor a slug", id), "write "+aUUID+", or "+aSlug)
	}
}

// kind refuses what cannot be a kind and what is almost one; a kind this
// version does not have is allowed, its grants are unmanaged.
func (v *validation) kind(path, kind string) {
	near := closest(kind, v.kinds)
	switch {
	case kind == "":
		v.add(path, "is missing", "name the fulfiller, as in kind: license_keys")
	case !kindPattern.MatchString(kind):
		v.add(path, fmt.Sprintf("%q is not a kind", kind), "write lower-case letters, digits and underscores, as in license_keys")
	case near != "" && near != kind:
		v.add(path, fmt.Sprintf("%q is not a kind", kind), fmt.Sprintf("did you mean %q?", near))
	}
}

func (v *validation) products(c *Config) {
	seen := map[string]int{}
	for i, p := range c.Products {
		path := fmt.Sprintf("products[%d]", i)
		if !isUUID(p.ID) {
			v.add(path+".id", fmt.Sprintf("%q is not a UUID", p.ID), "write the platform's product id, "+aUUID)
		} else if first, again := seen[p.ID]; again {
			v.add(path+".id", fmt.Sprintf("%q is products[%d] already", p.ID, first), "keep one entry for a product")
		} else {
			seen[p.ID] = i
		}
		v.oneOf(path+".refund", p.Refund, []string{"never", "full", "any"})
		v.productBenefits(path, p, c.benefitIDs())
	}
}

func (v *validation) productBenefits(path string, p Product, ids []string) {
	if len(p.Benefits) == 0 {
		v.add(path+".benefits", "is empty", "list the ids of the benefits the product carries")
	}
	for j, id := range p.Benefits {
		at := fmt.Sprintf("%s.benefits[%d]", path, j)
		v.benefitID(at, id)
		if isSlug(id) && !slices.Contains(ids, id) {
			v.add(at, fmt.Sprintf("%q is not in benefits", id), suggestion(id, ids, "add an entry with this id to benefits"))
		}
	}
}

func (c *Config) benefitIDs() []string {
	ids := make([]string, len(c.Benefits))
	for i, b := range c.Benefits {
		ids[i] = b.ID
	}
	return ids
}
