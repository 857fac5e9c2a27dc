//go:build unix

package e2e

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"fulfilld/internal/testserver"
)

// onEachEngine runs a test on SQLite with the embedded Redis, and on Postgres with
// a real one.
func onEachEngine(t *testing.T, test func(t *testing.T, ledger, redis string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, "", "")
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, testserver.Postgres(t), testserver.Redis(t).URL())
	})
}

// openLedger reads a ledger beside the daemon, without its help.
func openLedger(t testing.TB, url string) *sql.DB {
	t.Helper()
	driver, source := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite://"); ok {
		driver, source = "sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// one asks for a single number.
func one(db *sql.DB, query string, args ...any) (n int, err error) {
	if err = db.QueryRow(query, args...).Scan(&n); err != nil {
		err = fmt.Errorf("%s: %w", query, err)
	}
	return n, err
}

// none fails unless a count is 0.
func none(t testing.TB, db *sql.DB, what, query string, args ...any) {
	t.Helper()
	n, err := one(db, query, args...)
	if err != nil {
		t.Error(err)
	} else if n != 0 {
		t.Errorf("%s: %d", what, n)
	}
}

// whole checks what must hold of any ledger at any time.
func whole(t testing.TB, db *sql.DB) {
	t.Helper()
	none(t, db, "events without a body", `SELECT count(*) FROM events e LEFT JOIN bodies b ON b.seq = e.seq WHERE b.seq IS NULL`)
	none(t, db, "bodies without an event", `SELECT count(*) FROM bodies b LEFT JOIN events e ON b.seq = e.seq WHERE e.seq IS NULL`)
	none(t, db, "fulfilments without a grant", `SELECT count(*) FROM fulfilments f LEFT JOIN grants g ON g.id = f.grant_id WHERE g.id IS NULL`)
	none(t, db, "keys without a fulfilment", `SELECT count(*) FROM license_keys k LEFT JOIN fulfilments f ON f.id = k.fulfilment_id WHERE f.id IS NULL`)
	none(t, db, "active keys of revoked grants", `SELECT count(*) FROM license_keys k JOIN fulfilments f ON f.id = k.fulfilment_id WHERE f.state = 'revoked' AND k.active = 1`)
	none(t, db, "granted without an active key", `SELECT count(*) FROM fulfilments f LEFT JOIN license_keys k ON k.fulfilment_id = f.id
		WHERE f.kind = 'license_keys' AND f.state = 'granted' AND coalesce(k.active, 0) <> 1`)
}

// settled waits until every event is applied and nothing is left to do.
func settled(t testing.TB, db *sql.DB, limit time.Duration) time.Duration {
	t.Helper()
	return within(t, limit, "settled", func() error {
		events, err := one(db, `SELECT count(*) FROM events WHERE state = 'accepted'`)
		if err != nil {
			return err
		}
		work, err := one(db, `SELECT count(*) FROM fulfilments WHERE due_at > 0 OR (generation <> observed_generation AND state <> 'pending')`)
		if err == nil && events+work > 0 {
			err = fmt.Errorf("%d events are not applied, %d fulfilments not done", events, work)
		}
		return err
	})
}

// keyring remembers the text of every license key it has seen. A customer may
// have it by then: it never changes, and never goes.
type keyring struct {
	texts   map[string]string // by fulfilment
	changed int
}

// look compares all keys with what they were.
func (k *keyring) look(t testing.TB, db *sql.DB) {
	t.Helper()
	now, err := pairs(db, `SELECT fulfilment_id, key FROM license_keys`)
	if err != nil {
		t.Fatal(err)
	}
	for id, had := range k.texts {
		if now[id] != had {
			k.changed++
			t.Errorf("the key of %s is %q and was %q", id, now[id], had)
		}
	}
	k.texts = now
}

// score is how a day ended.
type score struct {
	acked, applied, lost, changed int
}

func (s score) String() string {
	return fmt.Sprintf("acked %d / applied %d / lost %d / keys changed %d", s.acked, s.applied, s.lost, s.changed)
}

// verdict compares the ledger, read directly, with what was acknowledged and
// with what the shop must end in.
func (s *shop) verdict(t testing.TB, db *sql.DB, p *platform, keys *keyring) score {
	t.Helper()
	states, err := pairs(db, `SELECT webhook_id, state FROM events`)
	if err != nil {
		t.Fatal(err)
	}
	acked := p.acknowledged()
	out := score{acked: len(acked)}
	for _, id := range acked {
		switch states[id] {
		case "applied", "ignored":
			out.applied++
		default:
			out.lost++
			t.Errorf("event %s was acknowledged and is %q", id, states[id])
		}
	}
	if n := len(s.ids()); len(states) != n || out.acked != n {
		t.Errorf("%d events were sent, %d acknowledged, %d are stored", n, out.acked, len(states))
	}
	keys.look(t, db)
	out.changed = keys.changed
	s.verdictOnGrants(t, db)
	return out
}

func (s *shop) verdictOnGrants(t testing.TB, db *sql.DB) {
	t.Helper()
	states, err := pairs(db, `SELECT grant_id, state FROM fulfilments`)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pairs(db, `SELECT f.grant_id, CASE WHEN sum(k.active) > 0 THEN 'active' ELSE 'ended' END
		FROM license_keys k JOIN fulfilments f ON f.id = k.fulfilment_id GROUP BY f.grant_id`)
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for g := range s.facts {
		want, state, key := s.ends(g), states[grantID(g)], keys[grantID(g)]
		good := state == want && (key == "active") == (want == "granted") && (want != "pending" || key == "")
		if good {
			continue
		}
		if wrong++; wrong <= 5 {
			t.Errorf("grant %s is %q with key %q, want %q; it was told %v", grantID(g), state, key, want, s.facts[g])
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d grants ended wrong", wrong, len(s.facts))
	}
	if n, err := one(db, `SELECT count(*) FROM cycles WHERE kind = ''`); err != nil || n != s.cycles {
		t.Errorf("%d renewals are recorded, want %d: %v", n, s.cycles, err)
	}
}

func pairs(db *sql.DB, query string) (map[string]string, error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var k, v string
		if err := rows.Scan(&k, &v); err != nil {
			return nil, err
		}
		out[k] = v
	}
	return out, rows.Err()
}

// shown compares what the admin API says with what the shop must end in.
func (s *shop) shown(t testing.TB, d *daemon) {
	t.Helper()
	grants, err := all[grantItem](d, "/v1/benefit-grants/")
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, g := range grants {
		states[g.ID] = g.State
	}
	wrong := 0
	for g := range s.facts {
		if got := states[grantID(g)]; got != s.ends(g) {
			wrong++
		}
	}
	if wrong > 0 || len(grants) != len(s.facts) {
		t.Errorf("the API shows %d grants, %d of them wrong; want %d", len(grants), wrong, len(s.facts))
	}
	for _, state := range []string{"accepted", "failed"} {
		if items, err := all[eventItem](d, "/v1/events/?state="+state); err != nil || len(items) > 0 {
			t.Errorf("the API shows %d events as %s: %v", len(items), state, err)
		}
	}
}
