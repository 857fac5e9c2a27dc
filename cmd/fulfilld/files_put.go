package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"
)

// putting is what `files put` was told.
type putting struct{ id, name, version, mimeType string }

func filesPut(connect connector) *cobra.Command {
	var p putting
	cmd := &cobra.Command{
		Use:   "put FILE",
		Short: "Upload a file for customers to download; grants that have waited for it proceed",
		Example: `  fulfilld files put app-2.1.zip
  fulfilld files put --id 95e42275-7df0-4a0b-bcbf-7c73cb018066 app-2.1.zip`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if p.id != "" {
				id, err := objectID(p.id)
				if err != nil {
					return err
				}
				p.id = id
			}
			return p.put(cmd, connect, args[0])
		},
	}
	cmd.Flags().StringVar(&p.id, "id", "", "the id that a benefit names it by (default: a new one)")
	cmd.Flags().StringVar(&p.name, "name", "", "the name customers see (default: the file's own)")
	cmd.Flags().StringVar(&p.version, "version", "", "for people, for example 2.1")
	cmd.Flags().StringVar(&p.mimeType, "mime-type", "", "default: by the name's ending")
	return cmd
}

// put sends a file with its hash.
func (p putting) put(cmd *cobra.Command, connect connector, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: is no regular file", file)
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	c, err := connect(cmd)
	if err != nil {
		return err
	}
	sum := base64.StdEncoding.EncodeToString(hash.Sum(nil))
	body, err := c.put(cmd.Context(), p.announcement(filepath.Base(file), info.Size(), sum), f, info.Size())
	if err != nil {
		return err
	}
	return present(cmd, body, showFile)
}

func (p putting) announcement(base string, size int64, sum string) map[string]any {
	name := cmp.Or(p.name, base)
	body := map[string]any{
		"name": name, "size": size, "service": "downloadable",
		"mime_type": cmp.Or(p.mimeType, mime.TypeByExtension(filepath.Ext(name)), "application/octet-stream"),
		"upload":    map[string]any{"parts": []any{map[string]any{"number": 1, "chunk_start": 0, "chunk_end": size}}},
	}
	if sum != "" {
		body["checksum_sha256_base64"] = sum
	}
	if p.id != "" {
		body["id"] = p.id
	}
	if p.version != "" {
		body["version"] = p.version
	}
	return body
}

// announcedFile is what the CLI reads of where to upload to.
type announcedFile struct {
	ID     string
	Upload struct {
		ID, Path string
		Parts    []struct{ URL string }
	}
}

// put announces a file, sends it, and says that it is whole.
func (c *adminClient) put(ctx context.Context, announcement map[string]any, content io.Reader, size int64) ([]byte, error) {
	to, err := c.announce(ctx, announcement)
	if err != nil {
		return nil, err
	}
	if err := c.upload(ctx, to, content, size); err != nil {
		return nil, err
	}
	whole := map[string]any{"id": to.Upload.ID, "path": to.Upload.Path, "parts": []any{}}
	return c.do(ctx, request{method: http.MethodPost, path: "/v1/files/" + to.ID + "/uploaded", body: whole})
}

func (c *adminClient) announce(ctx context.Context, body any) (to announcedFile, err error) {
	text, err := c.do(ctx, request{method: http.MethodPost, path: "/v1/files/", body: body})
	if err != nil {
		return to, err
	}
	err = json.Unmarshal(text, &to)
	if err == nil && len(to.Upload.Parts) != 1 {
		err = fmt.Errorf("%d addresses to upload to", len(to.Upload.Parts))
	}
	if err != nil {
		return to, fmt.Errorf("the daemon's answer makes no sense; is it of another version? %w", err)
	}
	return to, nil
}

// upload sends a file, however long that takes. Of the address, what is signed
// counts: we are let in by another door than the public one.
func (c *adminClient) upload(ctx context.Context, to announcedFile, content io.Reader, size int64) error {
	req, err := c.compose(ctx, request{method: http.MethodPut, path: "/v1/files/uploads/" + path.Base(to.Upload.Parts[0].URL)})
	if err != nil {
		return err
	}
	req.Body, req.ContentLength = io.NopCloser(content), size
	if size == 0 { // which would be taken for an unknown length
		req.Body = http.NoBody
	}
	patient := *c.http
	patient.Timeout = 0
	_, _, err = c.send(&patient, req)
	return err
}
