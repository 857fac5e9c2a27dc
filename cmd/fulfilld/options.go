package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"fulfilld/config"
	"fulfilld/fulfillers"
)

// options are the flags that every command has.
type options struct {
	environ    []string
	configFile string
}

// config reads the config; what is wrong with it, Validate tells.
func (o *options) config() *config.Config {
	environ := slices.DeleteFunc(slices.Clone(o.environ), func(pair string) bool { return strings.HasPrefix(pair, adminURL+"=") })
	return config.Load(o.configFile, o.configFile != "", environ)
}

// load reads the config and builds the kinds that are switched on. Every
// problem is reported at once.
func (o *options) load(purpose config.Purpose, kinds []fulfillers.Kind) (*config.Config, map[string]fulfillers.Built, error) {
	cfg := o.config()
	built := buildKinds(cfg, kinds)
	checkEntries(cfg, built)
	if err := cfg.Validate(purpose); err != nil {
		return nil, nil, fmt.Errorf("the config has problems:\n%w", err)
	}
	return cfg, built, nil
}

// buildKinds builds the kinds with a section in the config, and those that are
// on by default. What a kind finds wrong joins the config's problems.
func buildKinds(cfg *config.Config, kinds []fulfillers.Kind) map[string]fulfillers.Built {
	built := map[string]fulfillers.Built{}
	for _, k := range kinds {
		section := cfg.Section(k.Name)
		if !section.Present() && !k.Default {
			continue
		}
		b, err := k.Build(section.Decode)
		var known config.Problems
		switch {
		case err == nil:
			built[k.Name] = b
		case !errors.As(err, &known):
			section.Problem("", strings.TrimPrefix(err.Error(), "fulfillers."+k.Name), "correct the section")
		}
	}
	return built
}

// checkEntries has each kind look at the parameters the config gives it.
func checkEntries(cfg *config.Config, built map[string]fulfillers.Built) {
	for _, b := range cfg.Benefits {
		for _, f := range b.Fulfill {
			if kind, ok := built[f.Kind]; ok {
				if err := kind.Check(f.Params); err != nil {
					cfg.Section(f.Kind).Problem("", fmt.Sprintf("the entry of benefit %s is refused: %v", b.ID, err), "correct the entry under benefits")
				}
			}
		}
	}
}

// ownBenefits is the namespace in which a benefit's slug becomes its id.
var ownBenefits = uuid.MustParse("5b1c8f2e-6d0b-5f0e-9a58-2f6f0c7a4d11")

// benefitID is a config entry's benefit: the platform's id, or a slug of an own
// benefit, hashed.
func benefitID(id string) string {
	if _, err := uuid.Parse(id); err == nil {
		return id
	}
	return uuid.NewSHA1(ownBenefits, []byte(id)).String()
}

// router is the rule of what is to be done for a benefit, from the config.
func router(cfg *config.Config, built map[string]fulfillers.Built) fulfillers.Router {
	r := fulfillers.Router{Kinds: built, Entries: map[string]fulfillers.Entry{}, Grace: cfg.GracePeriod}
	for _, b := range cfg.Benefits {
		e := fulfillers.Entry{Grace: b.GracePeriod, ExpiresAfter: b.ExpiresAfter}
		for _, f := range b.Fulfill {
			e.Fulfill = append(e.Fulfill, fulfillers.Want{Kind: f.Kind, Params: f.Params})
		}
		r.Entries[benefitID(b.ID)] = e
	}
	return r
}

// dataDir is where the daemon keeps files beside its ledger.
func dataDir(cfg *config.Config) string {
	if path, ok := strings.CutPrefix(cfg.Database.URL, "sqlite://"); ok {
		return filepath.Dir(path)
	}
	return "data"
}

// logger writes to w as the config says.
func logger(cfg *config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Log.Level)) // validated; the zero value is info
	o := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
