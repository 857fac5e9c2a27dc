package main

import (
	"context"
	"fmt"

	"fulfilld/fulfillers"
	"fulfilld/fulfillers/downloadables"
	"fulfilld/handlers"
	"fulfilld/internal/bucket"
)

// openFiles opens the store of files, if there are any to be downloaded here.
func (d *daemon) openFiles(ctx context.Context, built map[string]fulfillers.Built) error {
	kind, ok := built["downloadables"].Fulfiller.(*downloadables.Fulfiller)
	if !ok {
		return nil
	}
	c := kind.Config()
	var err error
	if d.blobs, err = bucket.Open(ctx, c.Bucket(dataDir(d.cfg))); err != nil {
		return fmt.Errorf("fulfillers.downloadables.store: %w", err)
	}
	if d.cfg.PublicURL == "" {
		d.log.Warn("public_url is not set, so customers get no links to their downloads")
	}
	d.files = &handlers.Files{
		Ledger: d.ledger, Blobs: d.blobs,
		Uploads:   d.ledger.SigningKeys(handlers.UploadKeys, handlers.UploadLife),
		Links:     d.ledger.SigningKeys(handlers.DownloadKeys, c.LinkLifetime),
		PublicURL: d.cfg.PublicURL, LinkLife: c.LinkLifetime, Max: c.MaxDownloads,
		Changed: func() { d.queue.Relay.Wake() },
		Log:     d.log,
	}
	return nil
}
