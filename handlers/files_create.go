package handlers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"fulfilld/grant"
	"fulfilld/internal/signed"
)

const (
	service     = "downloadable" // of the platform's services for files, ours
	maxFileSize = 10 << 30       // the platform's
	maxFileText = 255            // of a name, a version or a type
)

// create announces a file, and answers where to upload it to.
func (f *Files) create(r *http.Request) (any, error) {
	file, err := announced(r)
	if err != nil {
		return nil, err
	}
	file, err = f.Ledger.Announce(r.Context(), file)
	if errors.Is(err, grant.ErrExists) {
		return nil, &apiError{status: http.StatusConflict, Name: "FileExists",
			Detail: "A file with this id is here already, and a file does not change. Delete it first, or upload under another id."}
	}
	if err != nil {
		return nil, err
	}
	url, until, err := f.uploadURL(r.Context(), file)
	return answer{status: http.StatusCreated, body: uploadOf(file, url, until)}, err
}

// announced reads what the platform calls a DownloadableFileCreate. An id of the
// sender's own may be with it: benefits name files that are still to be put.
func announced(r *http.Request) (grant.File, error) {
	b, err := formOf(r)
	if err != nil {
		return grant.File{}, err
	}
	b.require("name", "mime_type", "size")
	f := grant.File{ID: b.id("id", true), OrganizationID: b.id("organization_id", true), Name: b.fileName(), MIMEType: b.mimeType(), SHA256: b.sha256(), Upload: uuid.NewString()}
	if b.has("version") {
		f.Version = b.short("version")
	}
	if n := b.number("size", 0); n != nil {
		if f.Size = *n; f.Size > maxFileSize {
			b.refuse("size", "less_than_equal", "Input should be less than or equal to 10737418240", f.Size, map[string]any{"le": maxFileSize})
		}
	}
	if s, ok := field[string](b, "service", "string_type", "Input should be a valid string"); ok && s != service {
		b.refuse("service", "literal_error", "Input should be '"+service+"'", s, map[string]any{"expected": "'" + service + "'"})
	}
	upload, _ := optional[map[string]json.RawMessage](b, "upload", "model_attributes_type", noObject)
	part := b.onePart(upload["parts"], "body", "upload", "parts")
	if f.SHA256 = cmp.Or(f.SHA256, part.sum); part.sum != "" && part.sum != f.SHA256 {
		b.refuseAt(part.at, "value_error", "Value error, the one part is the whole file, and its checksum is another than checksum_sha256_base64", part.text)
	}
	if f.ID == "" {
		f.ID = uuid.NewString()
	}
	return f, b.err()
}

// short reads a text of one line.
func (b *form) short(name string) string {
	s := b.text(name)
	switch {
	case utf8.RuneCountInString(s) > maxFileText:
		b.refuse(name, "string_too_long", "String should have at most 255 characters", s, map[string]any{"max_length": maxFileText})
	case strings.ContainsFunc(s, unicode.IsControl):
		b.refuse(name, "string_pattern_mismatch", "String should have no control characters", s, nil)
	}
	return s
}

// fileName reads what people know a file by. Any text will do: it is no path.
func (b *form) fileName() string {
	s := b.short("name")
	if string(b.fields["name"]) == `""` {
		b.refuse("name", "string_too_short", "String should have at least 1 character", s, map[string]any{"min_length": 1})
	}
	return s
}

// mimeType reads what will be sent as the Content-Type.
func (b *form) mimeType() string {
	s := b.short("mime_type")
	if s == "" && string(b.fields["mime_type"]) != `""` { // which is told already
		return s
	}
	kind, parameters, err := mime.ParseMediaType(s)
	spelled := mime.FormatMediaType(kind, parameters)
	if err != nil || spelled == "" || !strings.Contains(kind, "/") {
		b.refuse("mime_type", "string_pattern_mismatch", "String should be a media type, such as application/zip", s, nil)
	}
	return spelled
}

// sha256 reads a hash in base64, and returns it in hex.
func (b *form) sha256() string {
	s, ok := optional[string](b, "checksum_sha256_base64", "string_type", "Input should be a valid string")
	if !ok {
		return ""
	}
	return b.hexed(s, "body", "checksum_sha256_base64")
}

func (b *form) hexed(s string, at ...string) string {
	sum, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(sum) != sha256.Size {
		b.refuseAt(at, "string_pattern_mismatch", "String should be the base64 of 32 bytes", s)
		return ""
	}
	return hex.EncodeToString(sum)
}

const noObject = "Input should be a valid dictionary or object to extract fields from"

// onlyPart is what a sender says of the one part in which a file is uploaded here.
type onlyPart struct {
	sum, text string // its hash in hex, and as it was sent; empty: none
	at        []string
}

// onePart reads a list of parts, of which there may be one or none.
func (b *form) onePart(raw json.RawMessage, at ...string) (p onlyPart) {
	if len(raw) == 0 || string(raw) == "null" {
		return p
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		b.refuseAt(at, "list_type", "Input should be a valid list", raw)
	}
	if len(parts) > 1 {
		b.refuseAt(at, "too_long", fmt.Sprintf("List should have at most 1 item after validation, not %d: here, a file is uploaded in one part", len(parts)), raw)
	}
	if len(parts) != 1 {
		return p
	}
	at = append(at, "0")
	var part map[string]json.RawMessage
	if err := json.Unmarshal(parts[0], &part); err != nil || part == nil {
		b.refuseAt(at, "model_attributes_type", noObject, parts[0])
	}
	sum := part["checksum_sha256_base64"]
	if len(sum) == 0 || string(sum) == "null" {
		return p
	}
	p.at = append(at, "checksum_sha256_base64")
	if err := json.Unmarshal(sum, &p.text); err != nil {
		b.refuseAt(p.at, "string_type", "Input should be a valid string", sum)
		return p
	}
	p.sum = b.hexed(p.text, p.at...)
	return p
}

// refuseAt is refuse for what is not a field of the whole.
func (b *form) refuseAt(at []string, typ, msg string, input any) {
	b.wrong = append(b.wrong, fieldError{typ, at, msg, input, nil})
}

// uploadURL is where this announcement of a file can be uploaded to, and no other.
// Without a public_url it begins with its path: the host is the one just asked.
func (f *Files) uploadURL(ctx context.Context, file grant.File) (string, time.Time, error) {
	until := time.Now().Add(UploadLife)
	payload, err := pair(file.ID, file.Upload)
	if err != nil {
		return "", until, err
	}
	token, err := signed.Seal(ctx, f.Uploads, payload, until)
	return strings.TrimRight(f.PublicURL, "/") + "/v1/files/uploads/" + token, until, err
}

// pair is two ids in a token's payload.
func pair(one, other string) ([]byte, error) {
	a, err := uuid.Parse(one)
	b, more := uuid.Parse(other)
	return append(a[:], b[:]...), errors.Join(err, more)
}

// unpair reads them; a token of another form was signed by another version.
func unpair(payload []byte) (one, other string, err error) {
	if len(payload) != 32 {
		return "", "", signed.ErrForged
	}
	return uuid.UUID(payload[:16]).String(), uuid.UUID(payload[16:]).String(), nil
}
