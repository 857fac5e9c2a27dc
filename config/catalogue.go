package config

import (
	"regexp"
	"strings"
	"time"
)

// Benefit is what is done for one benefit.
type Benefit struct {
	// ID is the platform's UUID, or a slug for a benefit of fulfilld's own.
	ID string `yaml:"id"`
	// Description is for people. Default: none.
	Description string `yaml:"description"`
	// GracePeriod overrides the product's and the global one; nil does not,
	// and 0 means no grace.
	GracePeriod *time.Duration `yaml:"grace_period"`
	// ExpiresAfter ends a grant this long after it began. Default 0: never.
	ExpiresAfter time.Duration `yaml:"expires_after"`
	// Fulfill lists the kinds that bring the benefit about.
	Fulfill []Fulfill `yaml:"fulfill"`
}

// Product is one entry of the own catalogue.
type Product struct {
	// ID is the platform's UUID of the product.
	ID string `yaml:"id"`
	// Benefits are ids of benefits, the platform's or slugs.
	Benefits []string `yaml:"benefits"`
	// Refund says which refund ends the grants: never, full or any.
	// Default full.
	Refund string `yaml:"refund"`
	// GracePeriod overrides the global one; nil does not.
	GracePeriod *time.Duration `yaml:"grace_period"`
}

func (p *Product) setDefaults() { p.Refund = "full" }

var (
	uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	almostUUID  = regexp.MustCompile(`^[0-9a-f-]{28,}$`)
	slugPattern = regexp.MustCompile(`^[a-z0-9]+([-_][a-z0-9]+)*$`)
	kindPattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

const (
	longestSlug = 64 // more is no name
	aUUID       = "a UUID such as 4cb7ab24-906c-4067-83b2-2c8152d36ab6"
	aSlug       = "a slug such as pro-chat"
)

func isUUID(s string) bool { return uuidPattern.MatchString(s) }

func isSlug(s string) bool {
	return len(s) <= longestSlug && slugPattern.MatchString(s) && !almostUUID.MatchString(s)
}

// normalize writes ids as the platform does, so that later comparisons are
// plain.
func (c *Config) normalize() {
	for i := range c.Benefits {
		c.Benefits[i].ID = lowerUUID(c.Benefits[i].ID)
	}
	for i := range c.Products {
		p := &c.Products[i]
		p.ID = lowerUUID(p.ID)
		for j := range p.Benefits {
			p.Benefits[j] = lowerUUID(p.Benefits[j])
		}
	}
}

func lowerUUID(id string) string {
	if low := strings.ToLower(id); isUUID(low) {
		return low
	}
	return id
}
