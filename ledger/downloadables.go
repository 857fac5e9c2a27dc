package ledger

import (
	"context"
	"database/sql"
	"time"

	"fulfilld/grant"
)

// GiveFiles makes files, in their order, what a fulfilment lets its customer
// download, each at most max times, and takes away any other. It returns those
// that are here, and those that never were; deleted ones are neither.
// [grant.ErrOvertaken] when the generation is not the fulfilment's any more.
func (l *Ledger) GiveFiles(ctx context.Context, fulfilmentID string, files []string, max *int64, generation int64) (here []grant.File, missing []string, err error) {
	type given struct {
		ok      bool
		here    []grant.File
		missing []string
	}
	got, err := ask(ctx, l.writers, work, func(t *tx) (g given, err error) {
		if g.ok, err = t.stillOwed(fulfilmentID, generation); !g.ok {
			return g, err
		}
		if err := t.takeFiles(fulfilmentID); err != nil {
			return g, err
		}
		for place, file := range files {
			if _, err := t.exec(`INSERT INTO downloadables (fulfilment_id, file_id, place, active, max_downloads, downloads, counted_at)
				VALUES ($1, $2, $3, 1, $4, 0, 0) ON CONFLICT (fulfilment_id, file_id) DO UPDATE SET place = $3, active = 1, max_downloads = $4`,
				fulfilmentID, file, place, max); err != nil {
				return g, err
			}
		}
		g.here, g.missing, err = t.filesOf(fulfilmentID)
		return g, err
	})
	if err == nil && !got.ok {
		err = grant.ErrOvertaken
	}
	return got.here, got.missing, err
}

// filesOf reads the files that a fulfilment gives, and which of them never were here.
func (t *tx) filesOf(fulfilmentID string) (here []grant.File, missing []string, err error) {
	missing, err = t.strings(`SELECT d.file_id FROM downloadables d LEFT JOIN files x ON x.id = d.file_id
		WHERE d.fulfilment_id = $1 AND d.active = 1 AND (x.id IS NULL OR x.uploaded_at = 0 AND x.deleted_at = 0) ORDER BY d.place`, fulfilmentID)
	if err != nil {
		return nil, nil, err
	}
	s, err := t.stmt(`SELECT ` + fileColumns + ` FROM downloadables d JOIN files x ON x.id = d.file_id
		WHERE d.fulfilment_id = $1 AND d.active = 1 AND x.uploaded_at > 0 ORDER BY d.place`)
	if err != nil {
		return nil, nil, err
	}
	rows, err := s.QueryContext(t.ctx, fulfilmentID)
	if err != nil {
		return nil, nil, err
	}
	here, err = collect(rows, scanFile)
	return here, missing, err
}

func (t *tx) takeFiles(fulfilmentID string) error {
	_, err := t.exec(`UPDATE downloadables SET active = 0 WHERE fulfilment_id = $1 AND active = 1`, fulfilmentID)
	return err
}

// TakeFiles ends all of a fulfilment's downloads. It fails like GiveFiles.
func (l *Ledger) TakeFiles(ctx context.Context, fulfilmentID string, generation int64) error {
	ok, err := ask(ctx, l.writers, work, func(t *tx) (bool, error) {
		ok, err := t.stillOwed(fulfilmentID, generation)
		if !ok {
			return false, err
		}
		return true, t.takeFiles(fulfilmentID)
	})
	if err == nil && !ok {
		err = grant.ErrOvertaken
	}
	return err
}

// Downloads returns the files that are here and that a fulfilment gave, in their
// order, each with whether it is owed now: by the same facts and the same rule as
// a worker's, so that nobody waits for the worker when something ends.
func (l *Ledger) Downloads(ctx context.Context, fulfilmentID string) ([]grant.Download, error) {
	rows, err := l.read.rows(ctx, downloadQuery+` ORDER BY d.place`, fulfilmentID)
	if err != nil {
		return nil, err
	}
	return collect(rows, l.scanDownload)
}

// Download returns one of them; ErrNotFound when the fulfilment never gave it, or
// when the file is gone.
func (l *Ledger) Download(ctx context.Context, fulfilmentID, fileID string) (d grant.Download, err error) {
	rows, err := l.read.rows(ctx, downloadQuery+` AND d.file_id = $2`, fulfilmentID, fileID)
	if err != nil {
		return d, err
	}
	all, err := collect(rows, l.scanDownload)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return d, err
	}
	return all[0], nil
}

const downloadQuery = `SELECT f.kind, d.active, d.max_downloads, d.downloads, d.counted_at, ` + factColumns + `, ` + fileColumns + `
	FROM downloadables d JOIN files x ON x.id = d.file_id AND x.uploaded_at > 0
	JOIN fulfilments f ON f.id = d.fulfilment_id JOIN grants g ON g.id = f.grant_id ` + factJoins + ` WHERE d.fulfilment_id = $1`

func (l *Ledger) scanDownload(r rowScanner) (d grant.Download, err error) {
	var kind string
	var active, counted int64
	var most sql.NullInt64
	var f facts
	before := append([]any{&kind, &active, &most, &d.Count, &counted}, f.into()...)
	if d.File, err = scanFile(behind{r, before}); err != nil {
		return d, err
	}
	facts, route, err := f.judge(l.opts.Settle)
	if err != nil {
		return d, err
	}
	_, routed := target(route, kind)
	facts.Unrouted = !routed
	d.Owed = active > 0 && grant.Owed(facts, time.Now()).Desired == grant.OwedGranted
	d.CountedAt = timeOf(counted)
	if most.Valid {
		d.Max = &most.Int64
	}
	return d, nil
}

// behind is a row with columns before those that its scanner knows.
type behind struct {
	rowScanner
	columns []any
}

// Scan implements rowScanner.
func (b behind) Scan(into ...any) error { return b.rowScanner.Scan(append(b.columns, into...)...) }

// CountDownload counts a download, of which there may be most, or any number with
// 0. What is asked for within window of the last one's beginning is a part of it.
// [grant.ErrUsedUp] when it would be one too many.
func (l *Ledger) CountDownload(ctx context.Context, fulfilmentID, fileID string, window time.Duration, most int64) error {
	n, err := ask(ctx, l.writers, work, func(t *tx) (int64, error) {
		n, err := t.exec(`UPDATE downloadables SET downloads = downloads + 1, counted_at = {{now}}
			WHERE fulfilment_id = $1 AND file_id = $2 AND active = 1 AND counted_at <= {{now}} - $3 AND ($4 = 0 OR downloads < $4)`,
			fulfilmentID, fileID, window.Microseconds(), most)
		if err != nil || n > 0 {
			return n, err
		}
		err = t.row(`SELECT count(*) FROM downloadables WHERE fulfilment_id = $1 AND file_id = $2 AND counted_at > {{now}} - $3`,
			[]any{fulfilmentID, fileID, window.Microseconds()}, &n)
		return n, err
	})
	if err == nil && n == 0 {
		err = grant.ErrUsedUp
	}
	return err
}

// spreadFile has up to limit fulfilments that give a file look at it again: it
// came, it went, or it has another name.
func (a *applier) spreadFile(limit int) (more bool, err error) {
	var file, after string
	err = a.row(`SELECT id, spread_after FROM files WHERE spread_after IS NOT NULL ORDER BY id LIMIT 1`, nil, &file, &after)
	if err != nil {
		return false, ignore(err)
	}
	ids, err := a.strings(`SELECT fulfilment_id FROM downloadables WHERE file_id = $1 AND active = 1 AND fulfilment_id > $2
		ORDER BY fulfilment_id LIMIT $3`, file, after, limit)
	if err != nil {
		return false, err
	}
	if err := each(ids, a.again); err != nil {
		return false, err
	}
	var next sql.NullString
	if len(ids) == limit {
		next = sql.NullString{String: ids[limit-1], Valid: true}
	}
	_, err = a.exec(`UPDATE files SET spread_after = $2 WHERE id = $1 AND spread_after = $3`, file, next, after)
	return true, err
}

// again begins a new generation of what is granted, so that it is done once more.
func (a *applier) again(id string) error {
	d := grant.Due{ID: id, Kind: grant.KindOf(id)}
	err := a.row(`UPDATE fulfilments SET generation = generation + 1, due_at = {{now}}, attempts = 0, since = 0, updated_at = {{now}},
			state = CASE WHEN state IN ('waiting', 'failed') THEN 'pending' ELSE state END
		WHERE id = $1 AND wanted LIKE 'granted%' RETURNING generation, starts`, []any{id}, &d.Generation, &d.Starts)
	if err == nil {
		a.due = append(a.due, d)
	}
	return ignore(err)
}

// MissingFiles counts the grants that wait for a file to be put, and names one of
// those files.
func (l *Ledger) MissingFiles(ctx context.Context) (grants int64, file string, err error) {
	err = l.read.row(ctx, `SELECT count(*), coalesce((SELECT d.file_id FROM fulfilments f JOIN downloadables d ON d.fulfilment_id = f.id AND d.active = 1
			LEFT JOIN files x ON x.id = d.file_id
			WHERE f.error_code = 'file_missing' AND (x.id IS NULL OR x.uploaded_at = 0 AND x.deleted_at = 0) LIMIT 1), '')
		FROM fulfilments WHERE error_code = 'file_missing'`, nil, &grants, &file)
	return grants, file, err
}
