package metercredit

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/uuid"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// Config is the meter_credit section of the config.
type Config struct {
	// Concurrency is how many grants are credited at a time. Default 16.
	Concurrency int `yaml:"concurrency"`

	// Meters are what credits are counted in, and what consumes them. A meter
	// that is not here can be credited and shown, and nothing consumes it.
	// Default none.
	Meters []Meter `yaml:"meters"`
}

// Meter is one entry of Meters.
type Meter struct {
	// ID is the platform's UUID of the meter, or a slug for one of your own.
	ID string `yaml:"id"`
	// Name is for people. Default: the id as it stands here.
	Name string `yaml:"name"`
	// Event is the name of the events that consume it.
	Event string `yaml:"event"`
	// Units is the key of an event's metadata that says how many units it
	// consumes, a whole number. Default: each event consumes one.
	Units string `yaml:"units"`
	// Overdraft is stop, which refuses an event that would take more than there
	// is, or allow. Default stop.
	Overdraft string `yaml:"overdraft"`
}

// Kind is this package's entry in the list of kinds. It is off by default.
func Kind(store Store) fulfillers.Kind {
	return fulfillers.Define("meter_credit", false, Config{Concurrency: 16},
		func(c Config) (fulfillers.Fulfiller, int, error) {
			meters, err := c.meters()
			return &Fulfiller{store: store, meters: meters}, c.Concurrency, err
		})
}

// maxText is as much as people read of a name, and as much as an index takes.
const maxText = 255

// ownMeters is the namespace in which a meter's slug becomes its id.
var ownMeters = uuid.MustParse("7e0b9a55-0c3e-5f5d-b1c9-5a3f4b6f2d90")

var slug = regexp.MustCompile(`^[a-z0-9]+([-_][a-z0-9]+)*$`)

// meterID is the platform's id of a meter, or a slug hashed to one; empty when
// it is neither.
func meterID(text string) string {
	if len(text) == len(uuid.Nil.String()) {
		if id, err := uuid.Parse(text); err == nil {
			return id.String()
		}
	}
	if len(text) > 64 || !slug.MatchString(text) {
		return ""
	}
	return uuid.NewSHA1(ownMeters, []byte(text)).String()
}

// meters checks all entries, and names everything that is wrong.
func (c Config) meters() (all []grant.Meter, err error) {
	seen := map[string]int{}
	for i, m := range c.Meters {
		wrong := func(field, problem string) {
			err = errors.Join(err, fmt.Errorf("meters[%d].%s: %s", i, field, problem))
		}
		id := meterID(m.ID)
		first, again := seen[id]
		switch {
		case id == "":
			wrong("id", "must be the platform's UUID of the meter, or a slug such as api-calls")
		case again:
			wrong("id", fmt.Sprintf("is that of meters[%d], too; keep one entry for a meter", first))
		}
		seen[id] = i
		if m.Event == "" {
			wrong("event", "is missing; write the name of the events that consume the meter, as in event: api_call")
		}
		if m.Overdraft != "" && m.Overdraft != "stop" && m.Overdraft != "allow" {
			wrong("overdraft", "must be stop or allow")
		}
		if len(m.Name)+len(m.Event)+len(m.Units) > maxText {
			wrong("name", fmt.Sprintf("has, with event and units, more than %d characters; shorten them", maxText))
		}
		name := strings.TrimSpace(m.Name)
		if name == "" {
			name = m.ID
		}
		all = append(all, grant.Meter{ID: id, Name: name, Event: m.Event, Units: m.Units, Overdraft: m.Overdraft == "allow"})
	}
	return all, err
}
