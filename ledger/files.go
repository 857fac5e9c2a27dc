package ledger

import (
	"context"
	"slices"
	"time"

	"fulfilld/grant"
)

// knownOrganization is the one whose benefits, or else customers, are known here:
// a file may be put without one, and before anything was heard of it.
const knownOrganization = `coalesce((SELECT min(o.organization_id) FROM benefits o WHERE o.organization_id <> ''),
	(SELECT o.organization_id FROM customers o WHERE o.organization_id <> '' LIMIT 1), '')`

const fileOrganization = `coalesce(nullif(x.organization_id, ''), ` + knownOrganization + `)`

const fileColumns = `x.id, ` + fileOrganization + `, x.name, x.version, x.mime_type, x.size, x.sha256, x.upload, x.blob, x.created_at, x.uploaded_at, x.modified_at`

func scanFile(r rowScanner) (f grant.File, err error) {
	var created, uploaded, modified int64
	err = r.Scan(&f.ID, &f.OrganizationID, &f.Name, &f.Version, &f.MIMEType, &f.Size, &f.SHA256, &f.Upload, &f.Blob, &created, &uploaded, &modified)
	f.CreatedAt, f.UploadedAt, f.ModifiedAt = timeOf(created), timeOf(uploaded), timeOf(modified)
	return f, err
}

// Files lists the files that are uploaded, the newest first, and counts them.
func (l *Ledger) Files(ctx context.Context, f grant.FileFilter, p grant.Page) ([]grant.File, int64, error) {
	s := selection{from: "files x", where: []string{"x.uploaded_at > 0"}}
	in(&s, "x.id", f.IDs)
	if len(f.OrganizationIDs) > 0 { // while none is known, a file may be anybody's
		in(&s, fileOrganization, append(slices.Clone(f.OrganizationIDs), ""))
	}
	return list(ctx, l, s, fileColumns, " ORDER BY x.created_at DESC, x.id DESC", p, scanFile)
}

// File returns a file that is uploaded.
func (l *Ledger) File(ctx context.Context, id string) (grant.File, error) {
	s := selection{from: "files x", where: []string{"x.uploaded_at > 0"}}
	in(&s, "x.id", []string{id})
	return one(ctx, l, s, fileColumns, "", scanFile)
}

// Unfinished returns what was announced by upload and is not uploaded yet.
func (l *Ledger) Unfinished(ctx context.Context, id, upload string) (grant.File, error) {
	s := selection{from: "files x", where: []string{"x.uploaded_at = 0"}}
	in(&s, "x.id", []string{id})
	in(&s, "x.upload", []string{upload})
	return one(ctx, l, s, fileColumns, "", scanFile)
}

// Announce remembers a file that is about to be uploaded. It takes the place of an
// earlier announcement of the same id, or of a deleted file; [grant.ErrExists]
// when the file is there.
func (l *Ledger) Announce(ctx context.Context, f grant.File) (grant.File, error) {
	got, err := ask(ctx, l.writers, work, func(t *tx) (grant.File, error) {
		if err := t.loosen(`SELECT blob FROM files WHERE id = $1 AND uploaded_at = 0 {{lock}}`, f.ID); err != nil {
			return grant.File{}, err
		}
		f := f
		if f.OrganizationID == "" {
			if err := t.row(`SELECT `+knownOrganization, nil, &f.OrganizationID); err != nil {
				return grant.File{}, err
			}
		}
		f.CreatedAt = time.Now().UTC().Truncate(time.Microsecond)
		n, err := t.exec(`INSERT INTO files (id, organization_id, name, version, mime_type, size, sha256, upload, blob, created_at, uploaded_at, modified_at, deleted_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', $9, 0, 0, 0)
			ON CONFLICT (id) DO UPDATE SET organization_id = $2, name = $3, version = $4, mime_type = $5, size = $6, sha256 = $7, upload = $8, blob = '',
				created_at = $9, modified_at = 0 WHERE files.uploaded_at = 0`,
			f.ID, f.OrganizationID, f.Name, f.Version, f.MIMEType, f.Size, f.SHA256, f.Upload, micros(f.CreatedAt))
		if n == 0 {
			return grant.File{}, err
		}
		return f, err
	})
	if err == nil && got.ID == "" {
		err = grant.ErrExists
	}
	return got, err
}

// loosen has the blobs that a query finds removed: their files, which it locks, are
// about to lose them.
func (t *tx) loosen(query string, args ...any) error {
	blobs, err := t.strings(query, args...)
	if err != nil {
		return err
	}
	return each(blobs, func(blob string) error {
		if blob == "" {
			return nil
		}
		_, err := t.exec(`INSERT INTO loose_blobs (blob, remove_at) VALUES ($1, {{now}})`, blob)
		return err
	})
}

// Store says that an announced file's bytes, and their hash, are in a blob that was
// loose. ErrNotFound: another's are already, or the announcement does not count any more.
func (l *Ledger) Store(ctx context.Context, f grant.File) error {
	n, err := ask(ctx, l.writers, work, func(t *tx) (int64, error) {
		n, err := t.exec(`UPDATE files SET blob = $3, sha256 = $4 WHERE id = $1 AND upload = $2 AND blob = '' AND uploaded_at = 0
			AND EXISTS (SELECT 1 FROM loose_blobs WHERE blob = $3)`, f.ID, f.Upload, f.Blob, f.SHA256)
		if err != nil || n == 0 {
			return n, err
		}
		return t.exec(`DELETE FROM loose_blobs WHERE blob = $1`, f.Blob)
	})
	return some(n, err)
}

func some(n int64, err error) error {
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// Finish lets everybody see a file whose bytes are there; doing so twice is fine.
// Like an edit or the end of a file, Spread tells those who give it.
// ErrNotFound: they are not, or the announcement does not count any more.
func (l *Ledger) Finish(ctx context.Context, id, upload string) (grant.File, error) {
	n, err := ask(ctx, l.writers, work, func(t *tx) (int64, error) {
		return t.exec(`UPDATE files SET uploaded_at = CASE WHEN uploaded_at = 0 THEN {{now}} ELSE uploaded_at END, deleted_at = 0, spread_after = ''
			WHERE id = $1 AND upload = $2 AND blob <> ''`, id, upload)
	})
	if err := some(n, err); err != nil {
		return grant.File{}, err
	}
	return l.File(ctx, id)
}

// EditFile changes the name or the version of a file; nil leaves them.
func (l *Ledger) EditFile(ctx context.Context, id string, name, version *string) (grant.File, error) {
	n, err := ask(ctx, l.writers, work, func(t *tx) (int64, error) {
		return t.exec(`UPDATE files SET name = coalesce($2, name), version = coalesce($3, version), modified_at = {{now}}, spread_after = ''
			WHERE id = $1 AND uploaded_at > 0`, id, name, version)
	})
	if err := some(n, err); err != nil {
		return grant.File{}, err
	}
	return l.File(ctx, id)
}

// DeleteFile takes a file away from everybody, for good, and returns how many
// grants had it.
func (l *Ledger) DeleteFile(ctx context.Context, id string) (grants int64, err error) {
	type deleted struct{ files, grants int64 }
	got, err := ask(ctx, l.writers, work, func(t *tx) (d deleted, err error) {
		if err := t.loosen(`SELECT blob FROM files WHERE id = $1 AND uploaded_at > 0 {{lock}}`, id); err != nil {
			return d, err
		}
		if d.files, err = t.exec(`UPDATE files SET name = '', upload = '', blob = '', uploaded_at = 0, deleted_at = {{now}}, spread_after = '' WHERE id = $1 AND uploaded_at > 0`, id); err != nil {
			return d, err
		}
		err = t.row(`SELECT count(*) FROM downloadables WHERE file_id = $1 AND active = 1`, []any{id}, &d.grants)
		return d, err
	})
	return got.grants, some(got.files, err)
}

// Loosen remembers a blob before it is written. Unless it becomes a file's, it is
// to be removed after so long; 0 is now.
func (l *Ledger) Loosen(ctx context.Context, blob string, after time.Duration) error {
	_, err := ask(ctx, l.writers, work, func(t *tx) (int64, error) {
		return t.exec(`INSERT INTO loose_blobs (blob, remove_at) VALUES ($1, {{now}} + $2)
			ON CONFLICT (blob) DO UPDATE SET remove_at = excluded.remove_at`, blob, after.Microseconds())
	})
	return err
}

// Removed forgets a blob that is gone from the store.
func (l *Ledger) Removed(ctx context.Context, blob string) error {
	_, err := ask(ctx, l.writers, work, func(t *tx) (int64, error) {
		return t.exec(`DELETE FROM loose_blobs WHERE blob = $1`, blob)
	})
	return err
}

// Loose drops announcements older than age that came to nothing, and returns some
// of the blobs that are to be removed.
func (l *Ledger) Loose(ctx context.Context, age time.Duration) ([]string, error) {
	_, err := ask(ctx, l.writers, work, func(t *tx) (int64, error) {
		const old = ` uploaded_at = 0 AND upload <> '' AND created_at < {{now}} - $1`
		if err := t.loosen(`SELECT blob FROM files WHERE`+old+` {{lock}}`, age.Microseconds()); err != nil {
			return 0, err
		}
		if _, err := t.exec(`DELETE FROM files WHERE deleted_at = 0 AND`+old, age.Microseconds()); err != nil {
			return 0, err
		}
		return t.exec(`UPDATE files SET name = '', upload = '', blob = '' WHERE`+old, age.Microseconds())
	})
	if err != nil {
		return nil, err
	}
	rows, err := l.read.rows(ctx, `SELECT blob FROM loose_blobs WHERE remove_at <= {{now}} ORDER BY remove_at LIMIT $1`, retainAtOnce)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanText)
}
