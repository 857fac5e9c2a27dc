package config

import "fmt"

// place is where in the configuration a value belongs, and what holds for it.
type place struct {
	path     string
	variable string // the variable it came from; empty: the file
	listed   bool   // inside a list or a map: no variable of its own
	signs    bool   // a key that signs: it must be long
}

func (p place) child(key string) place {
	p.path = join(p.path, key)
	return p
}

func (p place) index(i int) place {
	p.path = fmt.Sprintf("%s[%d]", p.path, i)
	p.listed = true
	return p
}

// beside is the field whose name is this one's and a suffix.
func (p place) beside(suffix string) place {
	p.path += suffix
	return p
}

func (p place) from(variable string) place {
	p.variable = variable
	return p
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// reportAt notes a problem of the value that stands at a place.
func (l *loader) reportAt(at place, line int, wrong, instead string) {
	p := Problem{Path: at.path, Wrong: wrong, Instead: instead, Source: at.variable}
	if at.variable == "" && line > 0 {
		p.Source, p.Line = l.file, line
	}
	if p.Path == "" {
		p.Path = l.file
	}
	l.problems = append(l.problems, p)
}
