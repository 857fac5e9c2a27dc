package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the tables up to date, under a lock where several daemons may start at once.
func (l *Ledger) migrate(ctx context.Context, db *sql.DB) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	dialect, opts := goose.DialectSQLite3, []goose.ProviderOption{}
	if l.engine.name == "postgres" {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, db, spelled{dir, l.engine}, opts...)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// spelled is a folder of migrations in one engine's words.
type spelled struct {
	fs.FS
	engine engine
}

// Open implements fs.FS.
func (s spelled) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return f, err
	}
	defer f.Close()
	text, err := fs.ReadFile(s.FS, name)
	if err != nil {
		return nil, err
	}
	return &spelledFile{bytes.NewReader([]byte(s.engine.sql(string(text)))), info}, nil
}

type spelledFile struct {
	*bytes.Reader
	info fs.FileInfo
}

// Stat implements fs.File.
func (f *spelledFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close implements fs.File.
func (f *spelledFile) Close() error { return nil }
