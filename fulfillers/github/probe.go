package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"fulfilld/fulfillers"

	"github.com/google/go-github/v62/github"
)

// Probe implements fulfillers.Prober. It reports every repository that cannot
// be sold.
func (g *Fulfiller) Probe(ctx context.Context, raw json.RawMessage) error {
	if len(raw) == 0 {
		return g.probeCredentials(ctx)
	}
	w, err := parse(raw)
	if err != nil {
		return fulfillers.Permanent("bad_params", "github: "+err.Error())
	}
	var errs []error
	for _, name := range w.repositories {
		errs = append(errs, g.probe(ctx, name, w.level))
	}
	return errors.Join(errs...)
}

func (g *Fulfiller) probeCredentials(ctx context.Context) error {
	if g.own != nil {
		_, err := g.call(ctx, g.own, http.MethodGet, "rate_limit", nil, nil)
		return err
	}
	var app github.App
	_, err := g.call(ctx, g.app, http.MethodGet, "app", nil, &app)
	switch {
	case isMissing(err):
		return permanent("credentials", fmt.Sprintf("there is no App %d; correct app_id", g.config.AppID), err)
	case err == nil && app.GetID() != g.config.AppID:
		return permanent("credentials", fmt.Sprintf("GitHub takes us for App %d, not %d; correct app_id", app.GetID(), g.config.AppID), nil)
	}
	return err
}

func (g *Fulfiller) probe(ctx context.Context, name string, level int) error {
	if g.app != nil {
		if err := g.probeInstallation(ctx, name); err != nil {
			return err
		}
	}
	r, err := g.open(ctx, name)
	switch {
	case err != nil:
		return err
	case !strings.EqualFold(r.name, name):
		return permanent("renamed", fmt.Sprintf("%s is now %s; write that, before somebody else takes the old name", name, r.name), nil)
	case r.GetOwner().GetType() == "User":
		return personal(name, nil)
	case g.own != nil && !r.Permissions["admin"]:
		return permanent("missing_rights", "the token's owner does not administer "+name+"; make it so, or use a GitHub App", nil)
	case !r.GetPrivate() && level == 1:
		return permanent("public_repository", name+" is public: everybody has the permission pull; make it private", nil)
	}
	return r.writable()
}

// probeInstallation asks anew, whatever was known of the installation.
func (g *Fulfiller) probeInstallation(ctx context.Context, name string) error {
	i, err := g.installation(ctx, name)
	switch {
	case err != nil:
		return err
	case i.SuspendedAt != nil:
		return permanent("suspended", "the App's installation on "+name+" is suspended; unsuspend it", nil)
	case i.GetPermissions().GetAdministration() != "write":
		return permanent("missing_rights", "the App needs the repository permission Administration: write on "+name+"; give it, and have the organisation accept it", nil)
	}
	return nil
}
