package fulfillers

import "fmt"

// Kind is one entry of the list of fulfillers: how to build it from its own
// section of the config.
type Kind struct {
	Name    string // as the platform names the benefit type
	Default bool   // on without a section in the config
	Build   func(decode func(into any) error) (Built, error)
}

// Built is a kind that is switched on.
type Built struct {
	Fulfiller
	Concurrency int
	Local       bool // see [Local]
}

// Define makes a Kind whose section decodes into C, starting from defaults.
// build returns the fulfiller and how many fulfilments it works on at a time.
func Define[C any](name string, on bool, defaults C, build func(C) (Fulfiller, int, error)) Kind {
	return Kind{Name: name, Default: on, Build: func(decode func(any) error) (Built, error) {
		c := defaults
		if err := decode(&c); err != nil {
			return Built{}, err
		}
		f, n, err := build(c)
		if err != nil {
			return Built{}, fmt.Errorf("fulfillers.%s: %w", name, err)
		}
		if n < 1 {
			return Built{}, fmt.Errorf("fulfillers.%s.concurrency: must be at least 1", name)
		}
		_, local := f.(Local)
		return Built{f, n, local}, nil
	}}
}
