//go:build unix

package e2e

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"fulfilld/internal/fakediscord"
	"fulfilld/internal/fakegithub"
)

// Providers may quote us, and the people that we tell them of, in what they refuse.
func TestProvidersThatQuoteUsSpillNothing(t *testing.T) {
	t.Parallel()
	w := newOutside(t, "", "")
	w.env = append(w.env, "FULFILLD_LOG_LEVEL=debug")
	w.start()
	p := w.person(0)
	if err := w.discord.Join(w.guild, p.discord); err != nil {
		t.Fatal(err)
	}
	quote := customerMail(0) + " may not, says Bot " + botToken
	w.github.Inject(fakegithub.Fault{Kind: fakegithub.Custom, Status: 422, Times: 2, Match: fakegithub.Match{Method: "PUT"},
		Body: fmt.Sprintf(`{"message":%q,"errors":[{"code":"custom","message":%q}]}`, customerMail(0)+" may not", "ask "+customerMail(0))})
	aRole := fakediscord.Match{Method: "PUT"}
	w.discord.Fail(aRole, fakediscord.Refuse(400, 0, quote), 1)
	w.discord.Fail(aRole, fakediscord.Refuse(403, 50013, quote), 1)
	newPlatform(w.daemon).send(t, buys(0))
	w.link(0)
	w.eventually("refused by both", func() error {
		var n int
		for _, r := range w.discord.Requests() {
			if r.Method == "PUT" {
				n++
			}
		}
		if n < 2 || len(w.github.Invitations(w.repo)) == 0 {
			return fmt.Errorf("%d roles were asked for, invitations %v", n, w.github.Invitations(w.repo))
		}
		return nil
	})
	db := openLedger(t, "sqlite://"+filepath.Join(w.dir, "fulfilld.db"))
	w.eventually("recorded", func() error {
		n, err := one(db, `SELECT count(*) FROM lanes WHERE why LIKE '%50013%'`)
		if err == nil && n == 0 {
			err = errors.New("no lane rests")
		}
		return err
	})
	w.kill()
	w.spillsNothing(db)
}
