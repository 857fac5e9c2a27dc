package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"go.yaml.in/yaml/v3"
)

// DefaultFile is read when it exists and no other file is named.
const DefaultFile = "fulfilld.yaml"

// largestFile caps what is read: a configuration is a few kilobytes, and a
// mistyped path may lead to anything.
const largestFile = 4 << 20

// Default is the configuration of an empty file and an empty environment.
func Default() *Config {
	c := &Config{
		Listen:          "127.0.0.1:8080",
		Admin:           Admin{Listen: "127.0.0.1:9090"},
		LicenseAPI:      LicenseAPI{Rate: 3, Guesses: 50, Block: time.Minute, Clients: 100_000},
		Database:        Database{URL: "sqlite://./data/fulfilld.db"},
		Webhooks:        Webhooks{Polar: PolarWebhooks{Tolerance: 5 * time.Minute}},
		Polar:           Polar{Server: "production"},
		Settle:          30 * time.Second,
		MaxRemovals:     25,
		ShutdownTimeout: 30 * time.Second,
		CustomerPage:    CustomerPage{SessionTTL: time.Hour},
		Retention:       Retention{IDs: 400 * day, Bodies: 90 * day},
		Log:             Log{Level: "info", Format: "text"},
		loader:          newLoader(nil),
	}
	c.Fulfillers.loader = c.loader
	return c
}

// Load reads the file and the environment (as os.Environ gives it) over it.
// An empty path means DefaultFile, or no file at all when explicit. A missing
// file is a problem only when explicit: the operator named it.
//
// Load does not fail. What is wrong is collected, so that the kinds' sections
// can add theirs (see Config.Section); Config.Validate returns all of it and
// must be called before the configuration is used.
func Load(path string, explicit bool, environ []string) *Config {
	c := Default()
	c.loader = newLoader(environ)
	c.Fulfillers.loader = c.loader
	root := c.loader.readFile(path, explicit)
	c.loader.fill(place{}, root, reflect.ValueOf(c).Elem())
	c.normalize()
	return c
}

// Resolve makes a path from the configuration usable: a relative one is
// relative to the configuration file's directory, or to the working directory
// without a file.
func (c *Config) Resolve(path string) string { return c.load().resolvePath(path) }

// File is the configuration file that was read, or empty.
func (c *Config) File() string { return c.load().file }

func (c *Config) load() *loader {
	if c.loader == nil {
		c.loader = newLoader(nil)
		c.Fulfillers.loader = c.loader
	}
	return c.loader
}

// loader is what one Load knows and has found so far.
type loader struct {
	env      environment
	file     string // as the operator named it
	unread   bool   // the file said nothing, so what is missing may stand in it
	problems Problems
	origins  map[string]origin     // by path
	written  map[*yaml.Node]string // what an expanded scalar said before
	broken   map[*yaml.Node]bool   // reported already, not to be used
}

// origin is where a value was found.
type origin struct {
	variable string // empty: in the file
	line     int
}

func newLoader(environ []string) *loader {
	return &loader{
		env:     newEnvironment(environ),
		origins: map[string]origin{},
		written: map[*yaml.Node]string{},
		broken:  map[*yaml.Node]bool{},
	}
}

func (l *loader) readFile(path string, explicit bool) *yaml.Node {
	if path == "" && explicit {
		return nil
	}
	if path == "" {
		path = DefaultFile
	}
	text, err := readRegular(path)
	if errors.Is(err, fs.ErrNotExist) && !explicit {
		return nil
	}
	l.file = path
	if err != nil {
		l.unread = true
		l.problems = append(l.problems, Problem{Path: path, Wrong: "cannot be read: " + reason(err), Instead: "check --config", Source: path})
		return nil
	}
	return l.parse(text)
}

func (l *loader) resolvePath(path string) string {
	if path == "" || filepath.IsAbs(path) || l.file == "" {
		return path
	}
	return filepath.Join(filepath.Dir(l.file), path)
}

// readRegular refuses devices and pipes, which may never end.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if info.Size() > largestFile {
		return nil, fmt.Errorf("larger than %d bytes", largestFile)
	}
	return os.ReadFile(path)
}

// reason drops the operation and the path, which the problem names itself.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
