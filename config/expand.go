package config

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

var variable = regexp.MustCompile(`\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// scalar copies a scalar with its ${VARIABLE}s replaced; $${ stands for ${.
func (t tree) scalar(path string, n *yaml.Node) *yaml.Node {
	out := &yaml.Node{Kind: yaml.ScalarNode, Tag: n.Tag, Value: n.Value, Line: n.Line, Style: n.Style}
	if !t.expand || !strings.Contains(n.Value, "${") {
		return out
	}
	t.written[out] = n.Value
	out.Tag = "!!str" // what a variable holds is text
	out.Value = variable.ReplaceAllStringFunc(n.Value, func(match string) string {
		if strings.HasPrefix(match, "$$") {
			return match[1:]
		}
		return t.variable(place{path: path}, out, match[2:len(match)-1])
	})
	if strings.Contains(variable.ReplaceAllString(n.Value, ""), "${") {
		t.reportAt(place{path: path}, n.Line, "has a ${ that no variable's name and } follow", "write ${NAME}, or $${NAME} for the text itself")
		t.broken[out] = true
	}
	return out
}

func (t tree) variable(at place, n *yaml.Node, name string) string {
	t.env.use(name)
	value, ok := t.env.lookup(name)
	if !ok {
		t.reportAt(at, n.Line, "the variable "+name+" is not set", "set it, or write the value here")
		t.broken[n] = true
	}
	return value
}
