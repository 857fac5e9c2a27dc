package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

const prefix = "FULFILLD_"

// environment is the process's variables and which of them the configuration
// knows.
type environment struct {
	values map[string]string
	known  map[string]bool // fields' variables, and those the file refers to
}

func newEnvironment(environ []string) environment {
	e := environment{values: map[string]string{}, known: map[string]bool{}}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			e.values[name] = value
		}
	}
	return e
}

// variableOf is the variable of the field at path.
func variableOf(path string) string {
	return prefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(path))
}

func (e environment) use(name string) { e.known[name] = true }

func (e environment) lookup(name string) (string, bool) {
	value, ok := e.values[name]
	return value, ok
}

// field looks up a field's variable. An empty one counts as not set: that is
// what container tools pass for a value nobody gave.
func (e environment) field(name string) (string, bool) {
	e.use(name)
	value := e.values[name]
	return value, value != ""
}

// any reports whether a variable below the path is set.
func (e environment) any(path string) bool {
	below := variableOf(path) + "_"
	for name, value := range e.values {
		if strings.HasPrefix(name, below) && value != "" {
			return true
		}
	}
	return false
}

// unknown lists the variables that look like ours and mean nothing.
func (e environment) unknown() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(e.values)) {
		if strings.HasPrefix(name, prefix) && !e.known[name] && !ignored(name, e.values[name]) {
			names = append(names, name)
		}
	}
	return names
}

// serviceLink matches the variables that Kubernetes and Docker links make for
// a service named fulfilld or fulfilld-something:
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)$`)

func ignored(name, value string) bool {
	return strings.HasPrefix(name, prefix+"TEST_") ||
		serviceLink.MatchString(name) ||
		strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://")
}

func (v *validation) variables(l *loader) {
	known := slices.Sorted(maps.Keys(l.env.known))
	for _, name := range l.env.unknown() {
		v.problems = append(v.problems, Problem{
			Path:    name,
			Wrong:   "no field has this variable",
			Instead: suggestion(name, known, "remove it"),
			Source:  name,
		})
	}
}
