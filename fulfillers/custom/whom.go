package custom

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// codeNoURL is the code of an end that nobody can be told.
const codeNoURL = "no_url"

// theSection stands for the section's URL, which may change, and may be a secret.
const theSection = ""

// mayKnow are the URLs that may have been told of a grant.
func mayKnow(p grant.Properties) (all []string) {
	text, _ := json.Marshal(p[unheardOf])
	_ = json.Unmarshal(text, &all) // it was JSON a moment ago
	return all
}

// knows reports whether a URL is the one that has been told of a grant.
func (c *Fulfiller) knows(f grant.Fulfilment, to aim) bool {
	before, err := c.parse(f.Applied)
	return err == nil && f.Properties[delivered] != nil && before.url != nil && before.url.String() == to.url.String()
}

// intend remembers that a URL may have been told, which the grant itself does not
// say yet.
func (c *Fulfiller) intend(ctx context.Context, f grant.Fulfilment, to aim) error {
	may := mayKnow(f.Properties)
	if c.knows(f, to) || slices.Contains(may, to.word()) {
		return nil
	}
	p := grant.Properties{}
	maps.Copy(p, f.Properties)
	p[unheardOf] = append(may, to.word())
	return fulfillers.Remember(ctx, p)
}

// word is how a URL is remembered.
func (a aim) word() string {
	if !a.named {
		return theSection
	}
	return a.url.String()
}

func without(all []string, a aim) []string {
	return slices.DeleteFunc(all, func(word string) bool { return word == a.word() })
}

// whom is everybody who was told of a grant, or may have been. Its error is of
// those who cannot be told any more.
func (c *Fulfiller) whom(f grant.Fulfilment) (all []*url.URL, err error) {
	told, err := c.told(f)
	if told != nil {
		all = append(all, told)
	}
	for _, word := range mayKnow(f.Properties) {
		u, wrong := c.spoken(word)
		if wrong != nil {
			err = errors.Join(err, wrong)
			continue
		}
		if told == nil || u.String() != told.String() {
			all = append(all, u)
		}
	}
	return all, err
}

// spoken is the URL that a word stands for today.
func (c *Fulfiller) spoken(word string) (*url.URL, error) {
	if word == theSection {
		if word = c.config.URL; word == "" {
			return nil, noURL()
		}
	}
	u, err := c.checkURL(word)
	if err != nil {
		return nil, fulfillers.Permanent("bad_params", "custom: a URL that may have been told of the grant "+err.Error())
	}
	return u, nil
}

// told is the URL that was told of a grant; nil when there is none. Where nothing at
// all is remembered, it is the one that is named today.
func (c *Fulfiller) told(f grant.Fulfilment) (*url.URL, error) {
	switch {
	case f.Properties[delivered] != nil:
	case len(mayKnow(f.Properties)) > 0:
		return nil, nil
	default:
		to, _ := c.aimed(f.Target) // what is refused was never called
		return to.url, nil
	}
	to, err := c.aimed(grant.Target{Params: f.Applied, Origin: "config"}) // it was allowed then
	if err == nil && to.url == nil {
		err = noURL()
	}
	return to.url, err
}

func noURL() error {
	return fulfillers.Permanent(codeNoURL, "custom: the URL that was told of the grant is not in the config any more, so nobody can be told that it has ended; write fulfillers.custom.url")
}
