package downloadables

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/internal/bucket"
	"fulfilld/internal/secret"
)

// Config is the downloadables section of the config.
type Config struct {
	// Concurrency is how many grants are worked on at a time. Default 16.
	Concurrency int `yaml:"concurrency"`

	// Store is where the files' bytes are: file://PATH, or s3://BUCKET/PREFIX.
	// Default: the directory files beside the ledger.
	Store string `yaml:"store"`
	// Region is the S3 bucket's. Default: as AWS's own tools find it.
	Region string `yaml:"region"`
	// Endpoint is the address of an S3 that is not AWS's. Default: AWS.
	Endpoint string `yaml:"endpoint"`
	// AccessKeyID and SecretAccessKey let us into S3. Default: the ones that AWS's
	// own tools find: environment, shared files, the machine's role.
	AccessKeyID     string      `yaml:"access_key_id" file:"true"`
	SecretAccessKey secret.Text `yaml:"secret_access_key"`

	// LinkLifetime is how long a link to a file is good, and within how long of its
	// first byte a download counts as one. Default 1h.
	LinkLifetime time.Duration `yaml:"link_lifetime"`
	// MaxDownloads is how many times a grant's customer may download each of its
	// files, unless the benefit says otherwise. Default 0, any number.
	MaxDownloads int64 `yaml:"max_downloads"`
}

// Bounds of LinkLifetime: a click takes a while, and a link can be passed on.
const (
	shortestLink = time.Minute
	longestLink  = 7 * 24 * time.Hour
)

// Kind is this package's entry in the list of kinds. It is off without a section in
// the config: the platform gives files, too.
func Kind(store Store) fulfillers.Kind {
	return fulfillers.Define("downloadables", false, Config{Concurrency: 16, LinkLifetime: time.Hour},
		func(c Config) (fulfillers.Fulfiller, int, error) {
			return New(c, store), c.Concurrency, c.check()
		})
}

func (c Config) check() error {
	var errs []error
	if err := c.Bucket("data").Check(); err != nil {
		errs = append(errs, err)
	}
	if !strings.HasPrefix(c.Store, "s3://") && (c.Region != "" || c.Endpoint != "" || c.AccessKeyID != "" || !c.SecretAccessKey.IsZero()) {
		errs = append(errs, errors.New("store: is no s3://BUCKET; remove region, endpoint and keys, or name the bucket"))
	}
	if c.LinkLifetime < shortestLink || c.LinkLifetime > longestLink {
		errs = append(errs, errors.New("link_lifetime: must be 1m to 7d"))
	}
	if c.MaxDownloads < 0 {
		errs = append(errs, errors.New("max_downloads: must be at least 1, or 0 for any number"))
	}
	return errors.Join(errs...)
}

// Bucket says where the files' bytes are, of a daemon with its data in dir.
func (c Config) Bucket(dir string) bucket.Options {
	o := bucket.Options{URL: c.Store, Region: c.Region, Endpoint: c.Endpoint, AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}
	if o.URL == "" {
		o.URL = "file://" + dir + "/files"
	}
	return o
}

// Probe implements fulfillers.Prober: it lists the S3 bucket. Benefits ask for no
// more than that.
func (d *Fulfiller) Probe(ctx context.Context, params json.RawMessage) error {
	if params != nil || !strings.HasPrefix(d.config.Store, "s3://") {
		return nil
	}
	b, err := bucket.Open(ctx, d.config.Bucket(""))
	if err != nil {
		return fulfillers.Permanent("store", "downloadables: "+err.Error())
	}
	defer b.Close()
	if err := b.Ping(ctx); err != nil {
		return fulfillers.Transient("store", fmt.Errorf("downloadables: list the bucket of %s; mend its name, its endpoint, or what the keys may do there: %w", d.config.Store, err))
	}
	return nil
}
