package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Purpose is what the configuration is read for.
type Purpose int

const (
	// Serve takes webhooks, so it needs a secret to verify them with.
	Serve Purpose = iota
	// Other does not: a demonstration, or a command that only asks the daemon.
	Other
)

// Validate returns everything that is wrong, as Problems, or nil. Call it once
// every kind's section has been asked for and decoded.
func (c *Config) Validate(purpose Purpose) error {
	v := &validation{loader: c.load(), kinds: c.Fulfillers.kinds()}
	v.addresses(c)
	v.choices(c)
	v.durations(c)
	if c.MaxRemovals < 0 {
		v.add("max_removals", "is negative", "write a whole number, or 0 to never be asked")
	}
	v.tokens(c)
	v.licenseAPI(c.LicenseAPI)
	v.endpoints(c)
	v.benefits(c)
	v.products(c)
	v.sections(&c.Fulfillers)
	v.variables(c.loader)
	if purpose == Serve {
		v.secrets(c)
	}
	all := slices.Concat(c.loader.problems, v.problems)
	all.sort()
	return all.err()
}

// validation is one look at a loaded configuration.
type validation struct {
	loader   *loader
	kinds    []string
	problems Problems
}

// add notes a problem, unless reading the same field has failed already: one
// mistake is told once.
func (v *validation) add(path, wrong, instead string) {
	if v.loader.reported(path) {
		return
	}
	v.problems = append(v.problems, v.loader.problem(path, wrong, instead))
}

// reported says whether a problem of the path, of what it stands in or of
// something inside it is known.
func (l *loader) reported(path string) bool {
	return slices.ContainsFunc(l.problems, func(p Problem) bool {
		return within(p.Path, path) || within(path, p.Path) || p.Path == path+"_file"
	})
}

// within says whether a path is another, or something inside it.
func within(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// problem finds the place of a path, or of what it stands in.
func (l *loader) problem(path, wrong, instead string) Problem {
	p := Problem{Path: path, Wrong: wrong, Instead: instead}
	for at := path; at != ""; at = parent(at) {
		if o, ok := l.origins[at]; ok {
			p.Source, p.Line = o.variable, 0
			if o.variable == "" && o.line > 0 {
				p.Source, p.Line = l.file, o.line
			}
			return p
		}
	}
	return p
}

func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

func (v *validation) secrets(c *Config) {
	if len(c.Webhooks.Polar.Secrets) > 0 || v.loader.unread {
		return
	}
	v.add("webhooks.polar.secrets", "is missing, and without it no webhook can be verified",
		"copy the secret from the endpoint's page at Polar (Settings, Webhooks) into it or into "+variableOf("webhooks.polar.secrets"))
}

func (v *validation) choices(c *Config) {
	v.oneOf("log.level", c.Log.Level, []string{"debug", "info", "warn", "error"})
	v.oneOf("log.format", c.Log.Format, []string{"text", "json"})
	if s := c.Polar.Server; s != "production" && s != "sandbox" {
		v.webURL("polar.server", s, "write production, sandbox or a URL such as https://api.polar.sh")
	}
}

func (v *validation) oneOf(path, value string, choices []string) {
	if !slices.Contains(choices, value) {
		last := len(choices) - 1
		v.add(path, fmt.Sprintf("%q is not a choice", value), "write "+strings.Join(choices[:last], ", ")+" or "+choices[last])
	}
}

func (v *validation) durations(c *Config) {
	if r := c.Retention; r.Bodies > r.IDs {
		v.add("retention.bodies", fmt.Sprintf("%s is longer than retention.ids", formatDuration(r.Bodies)), "write at most "+formatDuration(r.IDs))
	}
	if t := c.Webhooks.Polar.Tolerance; t < time.Second {
		v.add("webhooks.polar.tolerance", t.String()+" would refuse every delivery", "write 5m")
	}
}
