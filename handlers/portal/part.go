package portal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"fulfilld/grant"
)

// part tells of one kind. What is not ours to do is hidden: the platform shows it.
func (s *site) part(ctx context.Context, v grant.View, f grant.FulfilmentView) (part, error) {
	t := tell(f)
	p := part{Kind: cmp.Or(kinds[f.Kind], "Access"), State: t.word, Tone: t.tone, Text: t.text}
	p.ended, p.hidden = t.tone == "over", t.word == "" || f.State == grant.Pending && v.Word == grant.SaysNone
	if p.hidden || p.ended {
		return p, nil
	}
	has := shownOf(f)
	p.Note = has.Note
	if f.State == grant.Waiting {
		p.Link = has.invitation()
	}
	p.Facts = factsOf(has)
	switch {
	case f.Kind == "license_keys" && f.State == grant.Granted:
		return p, s.addKey(ctx, &p, f, has)
	case f.Kind == "downloadables" && (f.State == grant.Granted || f.State == grant.Waiting): // what is here already
		var err error
		p.Files, err = s.Files(ctx, v)
		return p, err
	}
	return p, nil
}

func factsOf(has shown) (all []fact) {
	for _, r := range has.Repositories {
		line := fact{r.Repository, r.Permission}
		if until := dateOf(r.ExpiresAt); until != "" && !r.Accepted {
			line.Value = "invited until " + until
		}
		all = append(all, line)
	}
	if until := dateOf(has.InviteExpires); until != "" && has.InviteURL != "" {
		all = append(all, fact{"Invitation", "good until " + until})
	}
	if has.CreditedUnits != nil {
		all = append(all, fact{"Credited", fmt.Sprint(*has.CreditedUnits)})
	}
	return all
}

// key is a license key and where it is used.
type key struct {
	Text       string
	Problem    string // why it does not work, if it does not
	Expires    string
	Uses       string // of how many
	Fulfilment string
	Limit      *int64
	Used       int
	Admin      bool // the customer may end activations
	Devices    []device
	Link       *link
}

// device is an activation.
type device struct{ ID, Label, Since string }

func (s *site) addKey(ctx context.Context, p *part, f grant.FulfilmentView, has shown) error {
	k, err := s.Keys.LicenseKeyOf(ctx, f.ID)
	if errors.Is(err, grant.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	shown := &key{Text: k.Key, Problem: problemOf(k), Expires: date(k.ExpiresAt), Fulfilment: f.ID, Limit: k.LimitActivations}
	if k.LimitUsage != nil {
		shown.Uses = fmt.Sprintf("%d of %d", k.Usage, *k.LimitUsage)
	}
	if leadsOut(has.ActivationURL) {
		shown.Link = &link{has.ActivationURL, "How to activate it"}
	}
	if shown.Problem != "" {
		p.State, p.Tone = "Not valid", "bad"
	}
	p.Key = shown
	return s.addDevices(ctx, shown, k, f)
}

// addDevices counts activations. Which they are, only who may end them is shown.
func (s *site) addDevices(ctx context.Context, shown *key, k grant.LicenseKey, f grant.FulfilmentView) error {
	if k.LimitActivations == nil {
		return nil
	}
	all, err := s.Keys.Activations(ctx, k.ID)
	if err != nil {
		return err
	}
	shown.Used, shown.Admin = len(all), s.Admin(f.Applied)
	if !shown.Admin {
		return nil
	}
	for _, a := range all {
		shown.Devices = append(shown.Devices, device{a.ID, cmp.Or(a.Label, "Device"), date(a.CreatedAt)})
	}
	return nil
}

func problemOf(k grant.LicenseKey) string {
	switch {
	case k.Status() != "granted":
		return "The seller has switched this key off."
	case !k.ExpiresAt.IsZero() && !time.Now().Before(k.ExpiresAt):
		return "This key has expired."
	}
	return ""
}
