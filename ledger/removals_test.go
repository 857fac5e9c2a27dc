package ledger

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"fulfilld/grant"
)

func TestRemovalsBeyondTheLimitWaitForApproval(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		three := grant.Limit{Calls: 3, Per: 10 * time.Minute}
		removal := func(who, resource string) bool {
			ok, err := s.Removal(t.Context(), repository(resource, 0), who, three)
			must(t, err)
			return ok
		}
		for i := range 3 {
			first, again := removal(fmt.Sprint(i), "acme/pro"), removal(fmt.Sprint(i), "acme/pro")
			if !first || !again { // tried again, it counts once
				t.Fatalf("removal %d waits", i)
			}
		}
		if removal("3", "acme/pro") {
			t.Error("the fourth does not wait")
		}
		if !removal("3", "acme/other") {
			t.Error("another resource waits, too")
		}
		s.exec(`UPDATE passes SET at = at - 600000000`)
		if removal("3", "acme/pro") {
			t.Error("goes on by itself when the ten minutes are over")
		}
		if waits, err := s.Unapproved(t.Context()); err != nil || len(waits) != 0 {
			t.Errorf("%+v waits, and nobody has recorded that they do: %v", waits, err)
		}
		s.repositories("g")
		h := s.holding(s.look(repoKey), repository("acme/pro", 1))
		s.record(h, grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Class: "throttled", Code: grant.ApprovalCode, DueAt: time.Now().Add(time.Hour)})
		waits, err := s.Unapproved(t.Context())
		if err != nil || len(waits) != 1 || waits[0].Name != "github:acme/pro" {
			t.Errorf("waits %+v, %v", waits, err)
		}
		if resting, err := s.Resting(t.Context()); err != nil || len(resting) != 0 {
			t.Errorf("resting %+v, %v", resting, err)
		}
		if due, err := s.Approve(t.Context(), "github", "acme/pro"); err != nil || len(due) != 1 {
			t.Errorf("approved: due %v, %v", due, err)
		}
		for i := range 10 {
			if !removal(fmt.Sprint(i), "acme/pro") {
				t.Errorf("removal %d waits after the approval", i)
			}
		}
		if _, err := s.Approve(t.Context(), "github", "acme/pro"); !errors.Is(err, ErrNotFound) {
			t.Errorf("approved what does not wait: %v", err)
		}
		s.exec(`UPDATE lanes SET until = 0`) // the hour is over
		for i := range 3 {
			removal(fmt.Sprint("late", i), "acme/pro")
		}
		if removal("late", "acme/pro") {
			t.Error("what the approval was not about goes on")
		}
		if !removal(repoKey, "acme/pro") {
			t.Error("what was approved waits once more when the hour is over")
		}
		s.exec(`UPDATE fulfilments SET generation = generation + 1`)
		if removal(repoKey, "acme/pro") {
			t.Error("the next edit goes on unasked")
		}
	})
}
