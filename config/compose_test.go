package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"fulfilld/config"
)

// service is what these tests read of a container.
type service struct {
	Environment map[string]string
	Secrets     []string
	Ports       []string
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
}

func services(t *testing.T) map[string]service {
	t.Helper()
	text, err := os.ReadFile("../deploy/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Services map[string]service }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Services) < 5 {
		t.Fatalf("only %d services", len(file.Services))
	}
	return file.Services
}

func TestNoContainerHasPrivilegesOrAPublicPort(t *testing.T) {
	t.Parallel()
	for name, s := range services(t) {
		if !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s keeps privileges: %+v", name, s)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s is open to the network: %s", name, port)
			}
		}
	}
}

func TestTheDashboardWithoutAPasswordOnlyShows(t *testing.T) {
	t.Parallel()
	if got := services(t)["asynqmon"].Environment["READ_ONLY"]; got != "true" {
		t.Errorf("READ_ONLY is %q", got)
	}
}

func TestTheContainerReadsItsSecretsFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := services(t)["fulfilld"]
	for _, name := range s.Secrets {
		text := key
		if name == "database_url" {
			text = "postgres://fulfilld:hunter2@postgres/fulfilld\n"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environ := []string{"FULFILLD_DATABASE_URL=sqlite:///data/fulfilld.db"} // as the image has it
	for name, value := range s.Environment {
		environ = append(environ, name+"="+strings.Replace(value, "/run/secrets", dir, 1))
	}
	c := config.Load("", true, environ)
	if err := c.Validate(config.Serve); err != nil {
		t.Fatal(err)
	}
	if c.Database.URL != "postgres://fulfilld:hunter2@postgres/fulfilld" || c.Admin.Token.IsZero() {
		t.Errorf("the ledger is at %s", c.Database.URL)
	}
	if postgres := services(t)["postgres"]; postgres.Environment["POSTGRES_PASSWORD_FILE"] == "" {
		t.Error("Postgres has its password from the environment")
	}
}
