package licensekeys

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPrefix keeps a key short enough to be typed and to fit any column.
const maxPrefix = 64

// params are a benefit's properties on the platform, or an entry of the
// config. Fields that are not known here belong to newer platforms.
type params struct {
	Prefix      string       `json:"prefix"`
	Expires     *expires     `json:"expires"`
	Activations *activations `json:"activations"`
	LimitUsage  *int64       `json:"limit_usage"`

	// ExpireSubscriptions lets Expires count for subscriptions too. It is the
	// operator's to say: from anywhere but a config entry it has no effect.
	ExpireSubscriptions bool `json:"expire_subscriptions"`
}

type activations struct {
	Limit               int64 `json:"limit"`
	EnableCustomerAdmin bool  `json:"enable_customer_admin"` // for the customer page
}

// parse reads and checks params; it reports all problems at once.
func parse(raw json.RawMessage) (params, error) {
	var p params
	if len(raw) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, explain(err)
	}
	p.Prefix = strings.ToUpper(strings.TrimSpace(p.Prefix))
	return p, errors.Join(p.checkPrefix(), p.Expires.check(), p.checkLimits())
}

func (p params) checkPrefix() error {
	if utf8.RuneCountInString(p.Prefix) > maxPrefix {
		return fmt.Errorf("prefix: must be at most %d characters; shorten it", maxPrefix)
	}
	if strings.ContainsFunc(p.Prefix, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errors.New("prefix: has a character that cannot be printed; remove it")
	}
	return nil
}

func (p params) checkLimits() error {
	var errs []error
	if a := p.Activations; a != nil && (a.Limit < 1 || a.Limit > math.MaxInt32) {
		errs = append(errs, fmt.Errorf("activations.limit: must be 1 to %d; remove activations if the key needs none", math.MaxInt32))
	}
	if u := p.LimitUsage; u != nil && *u < 1 {
		errs = append(errs, errors.New("limit_usage: must be at least 1; remove it if use is not limited"))
	}
	return errors.Join(errs...)
}

func (p params) activationLimit() *int64 {
	if p.Activations == nil {
		return nil
	}
	return &p.Activations.Limit
}

// explain names the field that has the wrong type.
func explain(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) || wrong.Field == "" {
		return errors.New("parameters: must be a JSON object")
	}
	want := "a whole number"
	switch wrong.Type.Kind() {
	case reflect.String:
		want = "text"
	case reflect.Bool:
		want = "true or false"
	case reflect.Struct:
		want = "an object or null"
	}
	return fmt.Errorf("%s: must be %s, not %s", wrong.Field, want, wrong.Value)
}

// CustomerAdmin reports whether customers may end the activations of a key that was
// issued with these parameters.
func CustomerAdmin(applied json.RawMessage) bool {
	p, err := parse(applied)
	return err == nil && p.Activations != nil && p.Activations.EnableCustomerAdmin
}
