package tasks

import (
	"log/slog"
	"slices"
	"testing"

	"fulfilld/fulfillers"
	"fulfilld/internal/testserver"
)

func TestWhatIsToBeTakenAwayGoesToTheFrontOfItsLine(t *testing.T) {
	t.Parallel()
	connector, err := NewConnector(testserver.Redis(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	client := connector.Client()
	defer client.Close()
	d := newDispatcher(Options{Ledger: nopLedger{}, Kinds: map[string]fulfillers.Built{"lamp": {}}, Log: slog.New(slog.DiscardHandler)}, client)
	if err := d.enqueue(t.Context(), "lamp", lamps(3, false)); err != nil {
		t.Fatal(err)
	}
	if err := d.enqueue(t.Context(), "lamp", lamps(1, true)); err != nil {
		t.Fatal(err)
	}
	line, err := client.LRange(t.Context(), "asynq:{lamp}:pending", 0, -1).Result()
	if err != nil || len(line) != 4 || line[3] != "g0.true:0:0" { // the last is taken first
		t.Errorf("the line is %q, %v", line, err)
	}
	d.first(t.Context(), "lamp", "gone:0:0")
	if again, err := client.LRange(t.Context(), "asynq:{lamp}:pending", 0, -1).Result(); err != nil || !slices.Equal(line, again) {
		t.Errorf("one that does not wait changes the line: %q, %v", again, err)
	}
}
