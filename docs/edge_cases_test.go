// Package docs has nothing but documents, and tests that keep them true.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var folders = map[string]string{"G": "fulfillers/github", "D": "fulfillers/discord", "L": "ledger", "T": "tasks", "E": "internal/e2e"}

// TestEdgeCasesNameTestsThatExist reads edge-cases.md, where a letter names the
// folder of the tests that follow it.
func TestEdgeCasesNameTestsThatExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("edge-cases.md")
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]string{}
	for letter, folder := range folders {
		has[letter] = testsIn(t, folder)
	}
	lines := regexp.MustCompile(`(?m)^\d+\. .*$`).FindAllString(string(text), -1)
	if len(lines) != 30 {
		t.Errorf("%d cases, want 30", len(lines))
	}
	named := 0
	for _, line := range lines {
		parts := regexp.MustCompile("([GDLTE]) ((?:`Test\\w+`(?:, )?)+)").FindAllStringSubmatch(line, -1)
		if len(parts) == 0 && !strings.Contains(line, "out of scope") {
			t.Errorf("no test: %s", line)
		}
		for _, part := range parts {
			for _, name := range regexp.MustCompile(`Test\w+`).FindAllString(part[2], -1) {
				named++
				if !strings.Contains(has[part[1]], "func "+name+"(") {
					t.Errorf("%s is not in %s", name, folders[part[1]])
				}
			}
		}
	}
	if all := strings.Count(string(text), "`Test"); named != all {
		t.Errorf("%d of %d names have a folder", named, all)
	}
}

func testsIn(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(folder, err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
