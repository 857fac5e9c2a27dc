package discord

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"fulfilld/fulfillers"
	"fulfilld/internal/secret"
)

// DefaultAPI is where Discord's REST API answers.
const DefaultAPI = "https://discord.com/api/v9/"

// Config is the discord section of the config.
type Config struct {
	// Concurrency is how many fulfilments are worked on at a time. Default 40:
	// one guild takes about one change of roles a second.
	Concurrency int `yaml:"concurrency"`

	// BotToken is the bot's token from Discord's developer portal. It must be
	// there; bot_token_file may hold it instead.
	BotToken secret.Text `yaml:"bot_token"`

	// Allow lists the guilds that the platform and a benefit's metadata may
	// name. Empty: only the benefits in this config name guilds.
	Allow []string `yaml:"allow"`

	// Protect lists the users whose roles and membership are never touched.
	Protect []string `yaml:"protect"`

	// APIURL is the address of the REST API. Default DefaultAPI.
	APIURL string `yaml:"api_url"`

	// InviteChannel is the channel that invitations lead to. Empty: the guild's
	// system channel, and else its first text channel.
	InviteChannel string `yaml:"invite_channel"`
}

// Kind is this package's entry in the list of kinds. It is off without a
// section in the config.
func Kind(lanes fulfillers.Lanes) fulfillers.Kind {
	return fulfillers.Define("discord", false, Config{Concurrency: 40, APIURL: DefaultAPI},
		func(c Config) (fulfillers.Fulfiller, int, error) {
			if err := c.check(); err != nil {
				return nil, 0, err
			}
			return New(c, lanes), c.Concurrency, nil
		})
}

// check reports all problems at once.
func (c Config) check() error {
	errs := []error{c.checkToken(), c.checkAPI()}
	if c.Concurrency < 1 {
		errs = append(errs, errors.New("concurrency: must be at least 1"))
	}
	errs = append(errs, checkIDs("allow", "Copy Server ID", c.Allow), checkIDs("protect", "Copy User ID", c.Protect))
	if c.InviteChannel != "" && !isID(c.InviteChannel) {
		errs = append(errs, notAnID("invite_channel", "Copy Channel ID"))
	}
	return errors.Join(errs...)
}

func (c Config) checkToken() error {
	token := c.BotToken.Reveal()
	switch {
	case token == "":
		return errors.New("bot_token: is missing; write the token from discord.com/developers, Bot, Reset Token")
	case strings.HasPrefix(token, "Bot "):
		return errors.New(`bot_token: has the word "Bot" in front; write the token alone`)
	case strings.ContainsFunc(token, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == ' ' }):
		return errors.New("bot_token: has a blank or a character that no token has; copy it again")
	}
	return nil
}

// checkAPI never quotes the address: it may hold a password.
func (c Config) checkAPI() error {
	u, err := url.Parse(c.APIURL)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("api_url: must be a whole URL, such as " + DefaultAPI)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("api_url: must have neither a user nor a query; write it like " + DefaultAPI)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return errors.New("api_url: would send the bot token unencrypted; write https")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func checkIDs(field, menu string, ids []string) error {
	var errs []error
	for i, id := range ids {
		if !isID(id) {
			errs = append(errs, notAnID(fmt.Sprintf("%s[%d]", field, i), menu))
		}
	}
	return errors.Join(errs...)
}

func (c Config) allows(guild string) bool { return slices.Contains(c.Allow, guild) }

func (c Config) protects(user string) bool { return slices.Contains(c.Protect, user) }
