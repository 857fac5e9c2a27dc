// Package ledger is the durable memory: what the shop said, what each customer
// is owed, and what was done about it. It is the only package with SQL.
//
// One code path serves two engines: SQLite (the embedded default: one file, one
// daemon) and Postgres (several daemons). The ledger knows neither wire, queue
// nor provider.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"fulfilld/grant"
)

// ErrNotFound says that no row has the id asked for.
var ErrNotFound = grant.ErrNotFound

// Options adjusts a ledger. The zero value is good for tests.
type Options struct {
	// Route says what is to be done for a benefit. Without it nothing is.
	Route func(grant.Benefit) grant.Route
	// Words says where customers write which account is theirs, by provider.
	Words map[string]grant.Words
	// Settle is how long a revoke waits for its reason when there is a grace.
	Settle time.Duration
	// Fast gives up durability for speed: for tests and benchmarks of the rest.
	Fast bool
	// OnCommit is told of every commit: how many rows of work it carried, how
	// long it took, and its error.
	OnCommit func(size int, took time.Duration, err error)
	// Listeners are the endpoints that want to be told of something, by its type:
	// one of [grant.Tells]. What nobody wants is not kept.
	Listeners map[string][]string
	// OnDelivery is told that there is something to be delivered. It must not wait.
	OnDelivery func()
}

// Ledger is an open ledger; it is safe for concurrent use.
type Ledger struct {
	opts    Options
	engine  engine
	daemon  string // names this process's events
	read    *reader
	writers *writers
	tally   *tally
	till    till
	close   []func() error
}

// engine is what differs between SQLite and Postgres.
type engine struct {
	name       string
	now        string // the database's clock, in microseconds
	applyLock  string // a statement that keeps appliers of a fleet one after another
	serial     string
	serialed   string // the serial of the row inserted last
	blob       string
	bytewise   string // makes a text column sort by its bytes
	begin      string
	lockFree   string // the same, leaving out what others have locked
	lock       string // ends a SELECT that keeps its rows as they are
	bulk       bool   // a statement about many rows takes them all at once, see [tx.bulks]
	writers    int
	applyBatch int // events applied by one write
}

// Open opens the ledger at url, "sqlite://path/to/file.db" or "postgres://…",
// and brings its tables up to date.
func Open(ctx context.Context, url string, opts Options) (*Ledger, error) {
	if opts.Route == nil {
		opts.Route = func(grant.Benefit) grant.Route { return grant.Route{} }
	}
	if opts.OnCommit == nil {
		opts.OnCommit = func(int, time.Duration, error) {}
	}
	if opts.OnDelivery == nil {
		opts.OnDelivery = func() {}
	}
	l := &Ledger{opts: opts, daemon: uuid.NewString()}
	var err error
	switch {
	case strings.HasPrefix(url, "sqlite:"):
		err = l.openSQLite(ctx, strings.TrimPrefix(strings.TrimPrefix(url, "sqlite:"), "//"))
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		err = l.openPostgres(ctx, url)
	default:
		err = errors.New("ledger: database.url must begin with sqlite:// or postgres://")
	}
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// start runs the migrations and the writers, once the databases are open.
func (l *Ledger) start(ctx context.Context, write *sql.DB, log *walLog) error {
	if err := l.migrate(ctx, write); err != nil {
		return fmt.Errorf("ledger: migrate: %w", err)
	}
	w, err := newWriters(ctx, write, l.engine, log, l.opts.OnCommit)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	l.writers = w
	l.tally = newTally(l.writeValidations)
	l.close = append(l.close, w.stop, l.tally.stop)
	return nil
}

// Engine names the engine: "sqlite" or "postgres".
func (l *Ledger) Engine() string { return l.engine.name }

// Close finishes the writes under way and closes the databases.
func (l *Ledger) Close() error {
	var errs []error
	for i := len(l.close) - 1; i >= 0; i-- {
		errs = append(errs, l.close[i]())
	}
	l.close = nil
	return errors.Join(errs...)
}

// Probe commits nothing through the writer: it fails when the ledger cannot commit.
func (l *Ledger) Probe(ctx context.Context) error {
	return l.writers.do(ctx, work, func(t *tx) error {
		_, err := t.exec(`UPDATE probe SET at = {{now}}`)
		return err
	})
}

// sql fills in the engine's words.
func (e engine) sql(q string) string {
	return strings.NewReplacer("{{now}}", e.now, "{{serial}}", e.serial, "{{blob}}", e.blob, "{{bytewise}}", e.bytewise, "{{lock}}", e.lock, "{{lock free}}", e.lockFree, "{{serialed}}", e.serialed).Replace(e.inBulk(q))
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
