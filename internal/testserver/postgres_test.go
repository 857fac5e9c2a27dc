//go:build unix

package testserver_test

import (
	"testing"

	"fulfilld/internal/testserver"

	"github.com/jackc/pgx/v5"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

func TestPostgresIsEmptyForEach(t *testing.T) {
	t.Parallel()
	for range 2 {
		conn := connect(t, testserver.Postgres(t))
		if _, err := conn.Exec(t.Context(), "CREATE TABLE acme (id INT)"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestForeignPostgresIsTidiedUp(t *testing.T) {
	foreign := testserver.Postgres(t)
	databases := func() (n int) {
		if err := connect(t, foreign).QueryRow(t.Context(), "SELECT count(*) FROM pg_database").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := databases()
	t.Setenv("POSTGRES_URL", foreign)
	t.Run("Test", func(t *testing.T) {
		connect(t, testserver.Postgres(t))
		if n := databases(); n != before+1 {
			t.Errorf("%d databases, want %d", n, before+1)
		}
	})
	if n := databases(); n != before {
		t.Errorf("%d databases afterwards, want %d", n, before)
	}
}
