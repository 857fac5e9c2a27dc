package metercredit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fulfilld/grant"
)

// params are a benefit's properties on the platform, or an entry of the config,
// which may say credits for units and meter for meter_id. Fields that are not
// known here belong to newer platforms.
type params struct {
	Units    *int64 `json:"units"`
	Credits  *int64 `json:"credits"`
	Rollover bool   `json:"rollover"`
	MeterID  string `json:"meter_id"`
	Meter    string `json:"meter"`

	// ExpiresAfter is how long the units last, such as 30d or 12h; empty is for ever.
	ExpiresAfter string `json:"expires_after"`
}

// terms are what params come to.
type terms struct {
	meter    string
	units    int64
	rollover bool
	lasts    time.Duration
}

// parse reads and checks params; it reports all problems at once.
func (m *Fulfiller) parse(raw json.RawMessage) (t terms, err error) {
	var p params
	if err := json.Unmarshal(raw, &p); err != nil {
		return t, explain(err)
	}
	t.rollover = p.Rollover
	var units, meter, lasts error
	t.units, units = p.units()
	t.meter, meter = m.meter(p)
	t.lasts, lasts = p.lasts()
	return t, errors.Join(units, meter, lasts)
}

func (p params) units() (int64, error) {
	name, n := "units", p.Units
	switch {
	case p.Units != nil && p.Credits != nil:
		return 0, errors.New("credits: is the same as units; keep one of them")
	case p.Credits != nil:
		name, n = "credits", p.Credits
	}
	if n == nil || *n < 1 || *n > grant.MaxUnits {
		return 0, fmt.Errorf("%s: must be a whole number of 1 to %d", name, grant.MaxUnits)
	}
	return *n, nil
}

// meter is the meter's id. A slug must be one of the config's meters: nothing
// else would tell a slip of the pen.
func (m *Fulfiller) meter(p params) (string, error) {
	name, text := "meter_id", p.MeterID
	switch {
	case p.MeterID != "" && p.Meter != "":
		return "", errors.New("meter: is the same as meter_id; keep one of them")
	case p.Meter != "":
		name, text = "meter", p.Meter
	}
	id := meterID(text)
	known := slices.ContainsFunc(m.meters, func(k grant.Meter) bool { return k.ID == id })
	switch {
	case id == "":
		return "", fmt.Errorf("%s: must be the platform's UUID of the meter, or the slug of one of fulfillers.meter_credit.meters", name)
	case !known && !strings.EqualFold(id, text):
		return "", fmt.Errorf("%s: %q is not the id of any of fulfillers.meter_credit.meters; add it there", name, text)
	}
	return id, nil
}

func (p params) lasts() (d time.Duration, err error) {
	if p.ExpiresAfter == "" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(p.ExpiresAfter, "d"); ok {
		n, failed := strconv.ParseInt(days, 10, 32)
		d, err = time.Duration(min(n, maxDays+1))*24*time.Hour, failed
	} else {
		d, err = time.ParseDuration(p.ExpiresAfter)
	}
	if err != nil || d < time.Second || d > maxDays*24*time.Hour {
		return 0, errors.New("expires_after: must be a duration such as 30d or 12h, of at most 36500d; remove it if the units never expire")
	}
	return d, nil
}

// maxDays is a hundred years.
const maxDays = 36500

// explain names the field that has the wrong type.
func explain(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) || wrong.Field == "" {
		return errors.New("parameters: must be a JSON object with units, rollover and meter_id")
	}
	want := map[string]string{"units": "a whole number", "credits": "a whole number", "rollover": "true or false"}[wrong.Field]
	if want == "" {
		want = "text"
	}
	return fmt.Errorf("%s: must be %s, not %s", wrong.Field, want, wrong.Value)
}
