package docs

import (
	"os"
	"strings"
	"testing"

	"fulfilld/internal/alarm"
)

func TestEveryAlarmIsExplained(t *testing.T) {
	text, err := os.ReadFile("alarms.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range alarm.Codes {
		if !strings.Contains(string(text), "\n| `"+code+"` | ") {
			t.Errorf("alarms.md does not explain %s", code)
		}
	}
	if n := strings.Count(string(text), "\n| `"); n != len(alarm.Codes) {
		t.Errorf("alarms.md explains %d codes, and there are %d", n, len(alarm.Codes))
	}
}
