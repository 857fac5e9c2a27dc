package bucket

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gocloud.dev/blob/fileblob"
)

// openDir opens a directory that nobody else may read. Halves lie beside their
// blobs: elsewhere may be another disk, to which no file can be renamed.
func openDir(dir string) (*Bucket, error) {
	blobs, err := fileblob.OpenBucket(dir, &fileblob.Options{CreateDir: true, DirFileMode: 0o700, NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return nil, err
	}
	return &Bucket{blobs: blobs, dir: dir}, nil
}

// syncDir makes the names in the directory durable: that of a file that was renamed.
func (b *Bucket) syncDir() error {
	if b.dir == "" {
		return nil
	}
	d, err := os.Open(b.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// removeHalves removes what a process that was killed had written of a blob.
func (b *Bucket) removeHalves(key string) error {
	all, err := os.ReadDir(b.dir)
	if err != nil {
		return err
	}
	for _, entry := range all {
		name := entry.Name()
		if !strings.HasPrefix(name, key+".") || !strings.HasSuffix(name, ".tmp") {
			continue
		}
		if err := os.Remove(filepath.Join(b.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
