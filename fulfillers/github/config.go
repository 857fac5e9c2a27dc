package github

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/secret"
)

// Config is the github_repository section of the config. It needs either a
// GitHub App, with the repository permission Administration: write, or a token.
type Config struct {
	// Concurrency is how many fulfilments are worked on at a time; most of them
	// wait for their turn, because writes of one installation go one after
	// another. Default 100.
	Concurrency int `yaml:"concurrency"`

	// AppID is the number of the GitHub App, as its settings page shows it.
	AppID int64 `yaml:"app_id"`

	// PrivateKey is the App's key in PEM form; private_key_file is a file with it.
	PrivateKey secret.Text `yaml:"private_key"`

	// Token is a personal access token, instead of an App. It acts as a person:
	// its owner must administer the repositories. It may be in token_file too.
	Token secret.Text `yaml:"token"`

	// MaxPermission is the most that the platform's own settings or a benefit's
	// metadata may ask for. An entry of the config may ask for more. Default pull.
	MaxPermission string `yaml:"max_permission"`

	// Allow lists the repositories that the platform's own settings or a
	// benefit's metadata may name: "owner/name", "owner/*" or "owner/pro-*".
	// Default none: only entries of the config name repositories.
	Allow []string `yaml:"allow"`

	// Protect lists logins or numeric ids of accounts whose access is never
	// touched, whatever they buy. Default none.
	Protect []string `yaml:"protect"`

	// APIURL is where GitHub's REST API is; for GitHub Enterprise Server,
	// https://HOST/api/v3/. Default https://api.github.com/.
	APIURL string `yaml:"api_url"`

	// Limits keep below what GitHub allows.
	Limits Limits `yaml:"limits"`

	timeFactor float64 // limits and pauses are that many times shorter, for tests; 0: 1
}

// Limits are counted for all daemons on one database together.
type Limits struct {
	// InvitationsPerDay is for each repository, in any 24 hours. GitHub allows
	// 50. Default 45.
	InvitationsPerDay int `yaml:"invitations_per_day"`

	// WritesPerMinute is for each installation, or for the token. Default 80.
	WritesPerMinute int `yaml:"writes_per_minute"`

	// WritesPerHour is the same in an hour. Default 500.
	WritesPerHour int `yaml:"writes_per_hour"`

	// Spacing is the least time between two writes. Default 1s.
	Spacing time.Duration `yaml:"spacing"`
}

func defaults() Config {
	return Config{
		Concurrency: 100, MaxPermission: "pull", APIURL: "https://api.github.com/",
		Limits: Limits{InvitationsPerDay: 45, WritesPerMinute: 80, WritesPerHour: 500, Spacing: time.Second},
	}
}

// Kind is this package's entry in the list of kinds. It is off without a section.
func Kind(lanes fulfillers.Lanes) fulfillers.Kind {
	return fulfillers.Define("github_repository", false, defaults(), func(c Config) (fulfillers.Fulfiller, int, error) {
		g, err := New(c, lanes)
		return g, c.Concurrency, err
	})
}

// Names are checked before they come into a URL: GitHub's client puts them
// there as they are.
var (
	loginForm   = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?(?:_[A-Za-z0-9]+)?$`)
	repoForm    = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	patternForm = regexp.MustCompile(`^[A-Za-z0-9._*-]{1,100}$`)
	idForm      = regexp.MustCompile(`^[0-9]{1,18}$`)
)

// check reports all problems at once, without the network.
func (c Config) check() error {
	_, noURL := c.baseURL()
	errs := []error{c.checkCredentials(), c.checkLists(), noURL}
	if c.Concurrency < 1 {
		errs = append(errs, errors.New("concurrency: must be at least 1"))
	}
	if levelOf(c.MaxPermission) == 0 {
		errs = append(errs, fmt.Errorf("max_permission: must be one of %s", permissionWords()))
	}
	return errors.Join(append(errs, c.Limits.check())...)
}

func (c Config) checkCredentials() error {
	app := c.AppID != 0 || !c.PrivateKey.IsZero()
	var errs []error
	switch {
	case !app && c.Token.IsZero():
		return errors.New("app_id: is missing; write app_id and private_key_file of a GitHub App, or a token")
	case app && !c.Token.IsZero():
		errs = append(errs, errors.New("token: is set beside a GitHub App; keep one of them"))
	case strings.ContainsFunc(c.Token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }):
		errs = append(errs, errors.New("token: has a blank or a character that no token has; copy it again"))
	}
	if app && c.AppID <= 0 {
		errs = append(errs, errors.New("app_id: must be the App's number; its settings page shows it"))
	}
	if app {
		_, err := c.key()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c Config) checkLists() error {
	var errs []error
	for i, pattern := range c.Allow {
		owner, name, _ := strings.Cut(pattern, "/")
		if !loginForm.MatchString(owner) || !patternForm.MatchString(name) || name == "." || name == ".." {
			errs = append(errs, fmt.Errorf("allow[%d]: must be owner/name or owner/*, for example acme/*", i))
		}
	}
	for i, who := range c.Protect {
		if !loginForm.MatchString(who) {
			errs = append(errs, fmt.Errorf("protect[%d]: must be a login or the numeric id of an account", i))
		}
	}
	return errors.Join(errs...)
}

func (l Limits) check() error {
	var errs []error
	for _, field := range []struct {
		name  string
		value int64
	}{
		{"invitations_per_day", int64(l.InvitationsPerDay)}, {"writes_per_minute", int64(l.WritesPerMinute)},
		{"writes_per_hour", int64(l.WritesPerHour)}, {"spacing", int64(l.Spacing)},
	} {
		if field.value <= 0 {
			errs = append(errs, fmt.Errorf("limits.%s: must be more than 0; remove it for the default", field.name))
		}
	}
	return errors.Join(errs...)
}

// baseURL is the API's, with the slash at its end that relative paths need.
func (c Config) baseURL() (*url.URL, error) {
	u, err := url.Parse(c.APIURL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && near(u.Hostname())) {
		return nil, errors.New("api_url: must be a whole https URL without credentials, for example https://api.github.com/")
	}
	u.Path = strings.TrimRight(u.Path, "/") + "/"
	return u, nil
}

// near says that a host is this machine, or one that only its own network can
// name: there a plain connection gives no token away.
func near(host string) bool {
	ip := net.ParseIP(host)
	return ip.IsLoopback() || ip == nil && !strings.Contains(host, ".")
}

func (c Config) allows(name string) bool {
	for _, pattern := range c.Allow {
		if ok, _ := path.Match(strings.ToLower(pattern), strings.ToLower(name)); ok {
			return true
		}
	}
	return false
}

func (c Config) protects(id int64, login string) bool {
	for _, who := range c.Protect {
		if strings.EqualFold(who, login) || who == fmt.Sprint(id) {
			return true
		}
	}
	return false
}

func (c Config) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / cmp.Or(c.timeFactor, 1))
}

// spareOf is of how many writes one is left to revokes.
const spareOf = 20

// writes are the limits of one installation.
func (c Config) writes() []grant.Limit {
	minutely, hourly := c.Limits.WritesPerMinute, c.Limits.WritesPerHour
	return []grant.Limit{
		{Calls: 1, Per: c.scaled(c.Limits.Spacing)},
		{Calls: minutely, Per: c.scaled(time.Minute), Spare: minutely / spareOf},
		{Calls: hourly, Per: c.scaled(time.Hour), Spare: hourly / spareOf},
	}
}

// invitations are the limits of one repository.
func (c Config) invitations() []grant.Limit {
	return []grant.Limit{{Calls: c.Limits.InvitationsPerDay, Per: c.scaled(day + placeLife)}}
}
