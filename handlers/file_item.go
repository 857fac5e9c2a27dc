package handlers

import (
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/dustin/go-humanize"

	"fulfilld/grant"
)

// fileItem is what the platform tells of a file wherever it does. Its path is where
// the platform keeps it; ours is not told.
type fileItem struct {
	ID             string `json:"id"`
	OrganizationID text   `json:"organization_id"`
	Name           string `json:"name"`
	Path           string `json:"path"`
	MIMEType       string `json:"mime_type"`
	Size           int64  `json:"size"`
	StorageVersion text   `json:"storage_version"`
	ETag           text   `json:"checksum_etag"`
	SHA256Base64   text   `json:"checksum_sha256_base64"`
	SHA256Hex      text   `json:"checksum_sha256_hex"`
	LastModifiedAt stamp  `json:"last_modified_at"`
	Version        text   `json:"version"`
	Service        string `json:"service"`
	Uploaded       bool   `json:"is_uploaded"`
	SizeReadable   string `json:"size_readable"`
}

// fileRead is the platform's DownloadableFileRead.
type fileRead struct {
	fileItem
	CreatedAt          stamp `json:"created_at"`
	FlaggedMaliciousAt stamp `json:"flagged_malicious_at"`
}

// fileUpload is its FileUpload.
type fileUpload struct {
	fileItem
	Upload uploadItem `json:"upload"`
}

type uploadItem struct {
	ID    string       `json:"id"`
	Path  string       `json:"path"`
	Parts []uploadPart `json:"parts"`
}

type uploadPart struct {
	Number       int               `json:"number"`
	ChunkStart   int64             `json:"chunk_start"`
	ChunkEnd     int64             `json:"chunk_end"`
	SHA256Base64 text              `json:"checksum_sha256_base64"`
	URL          string            `json:"url"`
	ExpiresAt    stamp             `json:"expires_at"`
	Headers      map[string]string `json:"headers"`
}

func fileOf(f grant.File) fileItem {
	sum, _ := hex.DecodeString(f.SHA256) // our own spelling
	item := fileItem{
		ID: f.ID, OrganizationID: text(f.OrganizationID), Name: f.Name, Path: f.ID, MIMEType: f.MIMEType, Size: f.Size,
		SHA256Base64: text(base64.StdEncoding.EncodeToString(sum)), SHA256Hex: text(f.SHA256),
		Version: text(f.Version), Service: service, Uploaded: !f.UploadedAt.IsZero(), SizeReadable: humanize.Bytes(uint64(f.Size)),
	}
	if item.Uploaded {
		item.ETag, item.LastModifiedAt = text(f.SHA256), stamp(f.UploadedAt)
	}
	return item
}

func readOf(f grant.File) fileRead {
	return fileRead{fileItem: fileOf(f), CreatedAt: stamp(f.CreatedAt)}
}

// uploadOf has one part, whatever the size: it is not kept anywhere but here.
func uploadOf(f grant.File, url string, until time.Time) fileUpload {
	item := fileOf(f)
	return fileUpload{item, uploadItem{f.Upload, item.Path, []uploadPart{{
		Number: 1, ChunkEnd: f.Size, SHA256Base64: item.SHA256Base64, URL: url, ExpiresAt: stamp(until), Headers: map[string]string{},
	}}}}
}
