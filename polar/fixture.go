package polar

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed examples/*.json
var examples embed.FS

// Template returns an example body of an event, about a benefit of the given
// type where there is a choice.
func Template(eventType, benefitType string) ([]byte, error) {
	files, err := fs.Glob(examples, "examples/*.json")
	if err != nil {
		return nil, err
	}
	var first string
	typed := strings.Contains(eventType, ".") // a family alone is no type
	for _, f := range files {                 // sorted
		name := strings.TrimSuffix(strings.TrimPrefix(f, "examples/"), ".json")
		if name == eventType || name == eventType+"."+benefitType {
			return examples.ReadFile(f)
		}
		// An example of a deletion is not what to send by default.
		if typed && strings.HasPrefix(name, eventType+".") && (first == "" || strings.HasSuffix(first, ".deleted.json")) {
			first = f
		}
	}
	if first == "" {
		return nil, fmt.Errorf("there is no example of %q; there are %s", eventType, strings.Join(exampleTypes(files), ", "))
	}
	return examples.ReadFile(first)
}

func exampleTypes(files []string) (types []string) {
	for _, f := range files {
		parts := strings.SplitN(strings.TrimPrefix(f, "examples/"), ".", 3)
		types = append(types, parts[0]+"."+strings.TrimSuffix(parts[1], ".json"))
	}
	slices.Sort(types)
	return slices.Compact(types)
}
