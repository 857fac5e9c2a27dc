package grant

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var waitsFor = regexp.MustCompile(`ActionRequired\("(\w+)"|ClassActionRequired, Code: "(\w+)"`)

// Whatever a fulfiller says to wait for the customer with, there are words for.
func TestThereAreWordsForEveryCodeThatWaits(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../fulfillers/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{FileMissingCode: true}
	for _, name := range append(files, "../tasks/access.go") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range waitsFor.FindAllStringSubmatch(string(text), -1) {
			if !strings.HasSuffix(name, "_test.go") {
				codes[m[1]+m[2]] = true
			}
		}
	}
	if len(codes) < 10 {
		t.Fatalf("only %d codes are found", len(codes))
	}
	unknown := TurnOf("something new")
	for code := range codes {
		if TurnOf(code) == unknown {
			t.Errorf("no words for %s", code)
		}
	}
	if TurnOf(FileMissingCode).Yours || !TurnOf("invited").Yours || !unknown.Yours {
		t.Error("it is another's turn")
	}
}
