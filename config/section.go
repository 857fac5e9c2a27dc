package config

import (
	"maps"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Fulfillers holds one section a kind. Its fields belong to the kinds; ask
// Config.Section for one.
type Fulfillers struct {
	loader   *loader
	nodes    map[string]*yaml.Node
	sections map[string]*Section
}

func (f *Fulfillers) fill(l *loader, at place, n *yaml.Node) {
	f.loader = l
	f.nodes, _ = l.mapping(at, n)
	for key, value := range pairs(n) {
		l.origins[at.child(key.Value).path] = origin{line: lineOf(key, value)}
	}
}

// Section is one kind's part of the configuration.
type Section struct {
	kind    string
	loader  *loader
	node    *yaml.Node
	present bool
	value   reflect.Value // what Decode filled, for Print
}

// Section returns a kind's section, present or not. Asking makes the kind
// known: Validate refuses sections, and variables, of kinds nobody asked for.
func (c *Config) Section(kind string) *Section {
	f := &c.Fulfillers
	if s, ok := f.sections[kind]; ok {
		return s
	}
	node, inFile := f.nodes[kind]
	s := &Section{kind: kind, loader: c.load(), node: node}
	s.present = inFile || s.loader.env.any(s.path())
	if f.sections == nil {
		f.sections = map[string]*Section{}
	}
	f.sections[kind] = s
	return s
}

func (s *Section) path() string { return "fulfillers." + s.kind }

// Present reports whether the file has the section, if only its name, or the
// environment a variable of it.
func (s *Section) Present() bool { return s.present }

// Decode fills the struct that into points to, by the rules of the rest of the
// configuration: names from yaml tags, variables over the file, unknown keys
// refused, secrets by their SetSecret method and with a _file twin (as has any
// field with the tag file:"true"), the tag signs:"true" for keys of at least 24
// bytes. What is not set keeps the value
// the struct came with. The error is this section's Problems; Validate reports
// them as well.
func (s *Section) Decode(into any) error {
	before := len(s.loader.problems)
	s.value = reflect.ValueOf(into).Elem()
	s.loader.fill(place{path: s.path()}, s.node, s.value)
	found := slices.Clone(s.loader.problems[before:])
	found.sort()
	return found.err()
}

// Problem adds what the kind itself finds wrong with a field, or with the
// section when field is empty.
func (s *Section) Problem(field, wrong, instead string) {
	path := s.path()
	if field != "" {
		path = join(path, field)
	}
	s.loader.problems = append(s.loader.problems, s.loader.problem(path, wrong, instead))
}

// Resolve makes a path from the section usable, as Config.Resolve does.
func (s *Section) Resolve(path string) string { return s.loader.resolvePath(path) }

func (f *Fulfillers) kinds() []string { return slices.Sorted(maps.Keys(f.sections)) }

func (v *validation) sections(f *Fulfillers) {
	for _, kind := range slices.Sorted(maps.Keys(f.nodes)) {
		if f.sections[kind] == nil {
			v.add("fulfillers."+kind, "there is no such kind", suggestion(kind, v.kinds, "remove the section"))
		}
	}
}
