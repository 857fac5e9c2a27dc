package custom

import (
	"encoding/json"
	"errors"
	"net/url"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// params are an entry of the config, a benefit's metadata, or its properties on
// the platform. Fields that are not known here belong to newer platforms.
type params struct {
	URL  *string `json:"url"`
	Note *string `json:"note"` // for the buyer
}

// aim is what parameters come to.
type aim struct {
	url   *url.URL // nil: nobody is called
	named bool     // by the parameters, not by the section
	note  string
}

// parse reads and checks parameters.
func (c *Fulfiller) parse(raw json.RawMessage) (a aim, err error) {
	var p params
	if len(raw) > 0 && json.Unmarshal(raw, &p) != nil {
		return a, errors.New("parameters: must be an object, and url and note in it text")
	}
	if p.Note != nil {
		a.note = *p.Note
	}
	address := c.config.URL
	if p.URL != nil && *p.URL != "" {
		address, a.named = *p.URL, true
	}
	if address == "" {
		return a, nil
	}
	if a.url, err = c.checkURL(address); err != nil {
		return a, errors.New("url: " + err.Error())
	}
	return a, nil
}

// aimed is what a target asks for. URLs that others than the operator have named
// must be allowed.
func (c *Fulfiller) aimed(t grant.Target) (aim, error) {
	a, err := c.parse(t.Params)
	switch {
	case err != nil:
		return aim{}, fulfillers.Permanent("bad_params", "custom: "+err.Error())
	case a.url != nil && a.named && !t.Configured() && !c.config.allows(a.url.Hostname()):
		return aim{}, fulfillers.Permanent("not_allowed", "custom: the benefit names a URL at "+a.url.Hostname()+", which fulfillers.custom.allow does not have; add the host, or write an entry under benefits")
	}
	return a, nil
}

// noteOf is what the benefit says to the buyer.
func noteOf(a aim, b grant.Benefit) string {
	if a.note != "" || b.Type != "custom" {
		return a.note
	}
	var p params
	_ = json.Unmarshal(b.Properties, &p) // whatever else it holds is no note
	if p.Note == nil {
		return ""
	}
	return *p.Note
}
