package main

import (
	"context"
	"net/http"
	"strings"

	"fulfilld/fulfillers/licensekeys"
	"fulfilld/grant"
	"fulfilld/handlers"
	"fulfilld/handlers/portal"
)

// visits are the sessions of customers, signed by the ledger's keys.
func (d *daemon) visits() portal.Tokens {
	return portal.Tokens{Keys: d.ledger.SigningKeys("customer session", d.cfg.CustomerPage.SessionTTL)}
}

func (d *daemon) sessions() handlers.Sessions {
	return handlers.Sessions{Make: d.visits().Make, Life: d.cfg.CustomerPage.SessionTTL, URL: strings.TrimRight(d.cfg.PublicURL, "/")}
}

// portal is the page on which customers see what they have bought.
func (d *daemon) portal() http.Handler {
	c := d.cfg.CustomerPage
	return portal.Handler(portal.Options{
		Sessions: d.visits(), Purchases: d.ledger, Keys: d.ledger, Files: d.shownFiles, Admin: licensekeys.CustomerAdmin,
		Name: c.Name, Support: c.SupportURL, Secure: strings.HasPrefix(d.cfg.PublicURL, "https://"), Log: d.log,
	})
}

// shownFiles are none where downloads are switched off.
func (d *daemon) shownFiles(ctx context.Context, v grant.View) ([]portal.File, error) {
	if d.files == nil {
		return nil, nil
	}
	return d.files.Shown(ctx, v)
}
