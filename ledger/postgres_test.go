package ledger

import (
	"database/sql"
	"os"
	"sync"
	"testing"

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
