package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"fulfilld/config"
)

// operatorCommands are the verbs that speak to a running daemon's admin API.
func operatorCommands(o *options) []*cobra.Command {
	return []*cobra.Command{grantsCommand(o.connect), eventsCommand(o.connect), customersCommand(o.connect), licensesCommand(o.connect), filesCommand(o.connect), deliveriesCommand(o.connect), creditsCommand(o.connect), alarmsCommand(o.connect)}
}

// adminURL is the variable that stands in for --admin-url. It is no field of
// the config: it is about another daemon than this config's, or none.
const adminURL = "FULFILLD_ADMIN_URL"

// connect finds the daemon that a command is to ask, and its token.
func (o *options) connect(cmd *cobra.Command) (*adminClient, error) {
	cfg, _, err := o.load(config.Other, kinds(nil))
	if err != nil {
		return nil, err
	}
	var named string
	for _, pair := range o.environ {
		if v, ok := strings.CutPrefix(pair, adminURL+"="); ok {
			named = v
		}
	}
	flag, _ := cmd.Flags().GetString("admin-url")
	token, err := daemonsToken(cfg)
	if err != nil {
		return nil, err
	}
	insecure, _ := cmd.Flags().GetBool("insecure-http")
	return newAdminClient(cmp.Or(flag, named, "http://"+reachable(cfg.Admin.Listen)), token, insecure)
}

// daemonsToken is the configured token, or the one the daemon made for itself.
func daemonsToken(cfg *config.Config) (string, error) {
	if t := cfg.Admin.Token.Reveal(); t != "" {
		return t, nil
	}
	token, err := readToken(tokenFile(cfg))
	if err != nil {
		return "", &exitError{exitUnreachable, fmt.Errorf("admin.token is not set, and the daemon's own is not to be had: %w; start the daemon here first, or run as its user", err)}
	}
	return token, nil
}
