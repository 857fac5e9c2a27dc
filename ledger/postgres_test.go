package ledger

import (
	"database/sql"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fulfilld/grant"
	"fulfilld/internal/testserver"
)

// databases are handed from test to test: to make one takes longer than most tests.
var databases struct {
	sync.Mutex
	free []string
	drop []func()
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, drop := range databases.drop {
		drop()
	}
	os.Exit(code)
}

// lasting makes a database that outlives the test that asked for it.
type lasting struct{ testing.TB }

func (lasting) Cleanup(drop func()) {
	databases.Lock()
	defer databases.Unlock()
	databases.drop = append(databases.drop, drop)
}

// postgresURL is a Postgres of this test's own for as long as it runs.
func postgresURL(t testing.TB) string {
	t.Helper()
	url := spareDatabase()
	if url == "" {
		url = testserver.Postgres(lasting{t})
	}
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		must(t, emptyDatabase(url))
		databases.Lock()
		defer databases.Unlock()
		databases.free = append(databases.free, url)
	})
	return url
}

func spareDatabase() (url string) {
	databases.Lock()
	defer databases.Unlock()
	if n := len(databases.free); n > 0 {
		url, databases.free = databases.free[n-1], databases.free[:n-1]
	}
	return url
}

func emptyDatabase(url string) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(`DO $$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') || ' RESTART IDENTITY'
		FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('goose_db_version', 'probe')); END $$`)
	return err
}

// TestWritesThatLockTheSameRowsDoNotDeadlock has several callers pass lanes and
// take resources, each in an order of its own.
func TestWritesThatLockTheSameRowsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	var failed atomic.Int64
	s := open(t, postgresURL(t), Options{Fast: true, OnCommit: func(_ int, _ time.Duration, err error) {
		if err != nil {
			failed.Add(1)
		}
	}})
	limits := []grant.Limit{{Calls: 100_000, Per: time.Minute}}
	var all sync.WaitGroup
	for caller := range 16 {
		all.Go(func() {
			ctx := grant.WithCaller(t.Context(), fmt.Sprint(caller))
			for i := range 20 {
				for _, lane := range []string{fmt.Sprint("repository:", (caller+i)%5), "installation"} {
					if _, err := s.Pass(ctx, lane, limits, false); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d commits failed", n)
	}
}
