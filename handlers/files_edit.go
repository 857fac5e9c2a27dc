package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"fulfilld/grant"
)

// list answers files that are whole, the newest first.
func (f *Files) list(r *http.Request) (any, error) {
	q := queryOf(r)
	filter := grant.FileFilter{IDs: q.ids("ids"), OrganizationIDs: q.ids("organization_id")}
	p := q.page()
	if err := q.err(); err != nil {
		return nil, err
	}
	all, total, err := f.Ledger.Files(r.Context(), filter, p)
	return listingOf(all, total, p, readOf), err
}

// uploaded ends an upload. From then on the file is there, also for those whose
// grants have waited for it.
func (f *Files) uploaded(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	b, err := formOf(r)
	if err != nil {
		return nil, err
	}
	b.require("id", "path", "parts")
	upload := b.id("id", false)
	b.text("path")
	field[[]json.RawMessage](b, "parts", "list_type", "Input should be a valid list")
	var part onlyPart
	if len(b.wrong) == 0 {
		part = b.onePart(b.fields["parts"], "body", "parts")
	}
	if err := b.err(); err != nil {
		return nil, err
	}
	if err := f.compare(r.Context(), id, upload, part.sum); err != nil {
		return nil, err
	}
	file, err := f.Ledger.Finish(r.Context(), id, upload)
	if errors.Is(err, grant.ErrNotFound) {
		if _, err := f.Ledger.Unfinished(r.Context(), id, upload); err != nil {
			return nil, err
		}
		return nil, &apiError{status: http.StatusConflict, Name: "NotUploaded", Detail: "Its bytes are not here yet. PUT them to the address of its upload first."}
	}
	if err != nil {
		return nil, err
	}
	f.Changed()
	return readOf(file), nil
}

// compare refuses an end of an upload by which other bytes were meant. An upload that
// has no bytes, or is not known, is left to who ends it.
func (f *Files) compare(ctx context.Context, id, upload, sum string) error {
	if sum == "" {
		return nil
	}
	file, err := f.Ledger.Unfinished(ctx, id, upload)
	if errors.Is(err, grant.ErrNotFound) { // or it is ended already
		file, err = f.Ledger.File(ctx, id)
	}
	switch {
	case errors.Is(err, grant.ErrNotFound):
		return nil
	case err == nil && file.Blob != "" && file.Upload == upload && file.SHA256 != sum:
		return wrongChecksum()
	}
	return err
}

// edit renames a file; its bytes stay what they are.
func (f *Files) edit(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	b, err := formOf(r)
	if err != nil {
		return nil, err
	}
	var name, version *string
	if b.has("name") {
		name = new(b.fileName())
	}
	if b.has("version") {
		version = new(b.short("version"))
	}
	if err := b.err(); err != nil {
		return nil, err
	}
	file, err := f.Ledger.EditFile(r.Context(), id, name, version)
	if err != nil {
		return nil, err
	}
	f.Changed()
	return readOf(file), nil
}

// GrantsHeader tells how many grants had a file that was deleted; the platform's
// answer has no body.
const GrantsHeader = "Fulfilld-Grants"

// delete takes a file away from everybody.
func (f *Files) delete(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	file, err := f.Ledger.File(r.Context(), id)
	if err != nil {
		return nil, err
	}
	grants, err := f.Ledger.DeleteFile(r.Context(), id)
	if err != nil {
		return nil, err
	}
	f.Changed()
	f.discard(r.Context(), file.Blob)
	return answer{status: http.StatusNoContent, header: map[string]string{GrantsHeader: strconv.FormatInt(grants, 10)}}, nil
}
