package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// parse reads the file: one document, aliases and merges resolved and
// ${VARIABLE} replaced, so that nothing after it has to know of them.
func (l *loader) parse(text []byte) *yaml.Node {
	root, ok := newTree(l, place{path: l.file}, true).read(text)
	l.unread = !ok
	return root
}

// tree is one YAML text being made plain.
type tree struct {
	*loader
	at     place               // what a mistake in the whole text is a mistake of
	expand bool                // replace ${VARIABLE}; a variable's own text is literal
	open   map[*yaml.Node]bool // aliased nodes being resolved: meeting one again is a circle
	size   *int                // nodes made so far, at most largestTree
}

// largestTree caps the nodes that aliases can multiply a text into. The
// library has such a cap, but a mistake it finds first may keep it from
// looking further.
const largestTree = 200_000

func newTree(l *loader, at place, expand bool) tree {
	return tree{loader: l, at: at, expand: expand, open: map[*yaml.Node]bool{}, size: new(int)}
}

// read parses and resolves text; it is false when nothing could be understood.
func (t tree) read(text []byte) (*yaml.Node, bool) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, true
	} else if err != nil {
		t.mistake(err.Error())
		return nil, false
	}
	if !t.sound(&doc) || len(doc.Content) == 0 {
		return nil, false
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		t.reportAt(t.at, 0, "has more than one document", "keep what stands before the second ---")
	}
	return t.resolve("", doc.Content[0]), true
}

// sound lets the library decode the document once for what it checks only
// then: keys written twice, anchors that contain themselves, aliases that
// explode.
func (t tree) sound(doc *yaml.Node) bool {
	var ignored any
	err := doc.Decode(&ignored)
	if err == nil {
		return true
	}
	if several, ok := errors.AsType[*yaml.TypeError](err); ok {
		for _, text := range several.Errors {
			t.mistake(text)
		}
		return true
	}
	t.mistake(err.Error())
	return false
}

var (
	mistakeLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?((?s:.*))$`)
	quoted      = regexp.MustCompile("(?s)`.*`|'[^']'|'[^']*'")
)

// mistake reports an error of the library, without what it quotes of the text:
// that may be a secret. A single sign is one that the library misses there.
func (t tree) mistake(text string) {
	m := mistakeLine.FindStringSubmatch(text)
	line, _ := strconv.Atoi(m[1])
	said := quoted.ReplaceAllStringFunc(m[2], func(quote string) string {
		if len(quote) == len("','") {
			return quote
		}
		return "this value"
	})
	t.reportAt(t.at, line, "is not valid YAML: "+said, "")
}

func (t tree) resolve(path string, n *yaml.Node) *yaml.Node {
	if *t.size++; *t.size > largestTree {
		return t.refuse(n, "grows too large")
	}
	switch n.Kind {
	case yaml.AliasNode:
		return t.resolveAlias(path, n)
	case yaml.MappingNode:
		return t.resolveMapping(path, n)
	case yaml.SequenceNode:
		list := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Line: n.Line}
		for i, item := range n.Content {
			list.Content = append(list.Content, t.resolve(fmt.Sprintf("%s[%d]", path, i), item))
		}
		return list
	default:
		return t.scalar(path, n)
	}
}

func (t tree) resolveAlias(path string, n *yaml.Node) *yaml.Node {
	if t.open[n.Alias] {
		return t.refuse(n, "has an anchor that contains itself")
	}
	t.open[n.Alias] = true
	defer delete(t.open, n.Alias)
	return t.resolve(path, n.Alias)
}

// refuse stands nothing in for what cannot be resolved, and says so once.
func (t tree) refuse(n *yaml.Node, wrong string) *yaml.Node {
	if !t.reported(t.at.path) {
		t.reportAt(t.at, n.Line, wrong, "write it out without aliases")
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line}
}

// resolveMapping appends what << merges in behind the mapping's own keys,
// which win.
func (t tree) resolveMapping(path string, n *yaml.Node) *yaml.Node {
	out := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Line: n.Line}
	own := map[string]bool{}
	add := func(key, value *yaml.Node) {
		if !own[key.Value] {
			own[key.Value] = true
			out.Content = append(out.Content, key, value)
		}
	}
	var merged []*yaml.Node
	for key, value := range pairs(n) {
		if key.ShortTag() == "!!merge" {
			merged = append(merged, t.mergedFrom(path, value)...)
			continue
		}
		add(key, t.resolve(join(path, key.Value), value))
	}
	for _, m := range merged {
		for key, value := range pairs(m) {
			add(key, value)
		}
	}
	return out
}

// mergedFrom is the mapping, or the list of mappings, behind a <<.
func (t tree) mergedFrom(path string, n *yaml.Node) []*yaml.Node {
	from := t.resolve(path, n)
	if from.Kind == yaml.SequenceNode {
		return from.Content
	}
	return []*yaml.Node{from}
}

// pairs walks a mapping's keys and values.
func pairs(n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind == yaml.AliasNode {
				key = key.Alias
			}
			if !yield(key, n.Content[i+1]) {
				return
			}
		}
	}
}
