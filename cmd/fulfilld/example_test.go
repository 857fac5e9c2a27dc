package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fulfilld/config"
)

// TestExampleOfEveryKindIsAccepted has the kinds themselves read their sections.
func TestExampleOfEveryKindIsAccepted(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/fulfilld.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^ *# +[a-z_]+_file: .*\n`).ReplaceAll(text, nil)
	text = regexp.MustCompile(`(?m)^( *)# ( *(- )?[a-z_]+:( .*)?)$`).ReplaceAll(text, []byte("$1$2"))
	file := filepath.Join(t.TempDir(), "fulfilld.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	secret, signing := strings.Repeat("s", 32), "whsec_"+strings.Repeat("c2ln", 10)
	o := &options{configFile: file, environ: []string{
		"POLAR_WEBHOOK_SECRET=" + secret, "ADMIN_TOKEN=" + secret, "DESKTOP_APP_TOKEN=" + secret + "2", "MAILER_SECRET=" + signing, "CUSTOM_SECRET=" + signing, "PARTNER_SECRET=" + signing, "POLAR_ACCESS_TOKEN=" + secret,
		"FULFILLD_FULFILLERS_DISCORD_BOT_TOKEN=" + secret,
		"FULFILLD_FULFILLERS_DOWNLOADABLES_SECRET_ACCESS_KEY=" + secret,
		"FULFILLD_FULFILLERS_GITHUB_REPOSITORY_PRIVATE_KEY=" + string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	}}
	_, built, err := o.load(config.Serve, kinds(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds(nil) {
		if _, ok := built[kind.Name]; !ok {
			t.Errorf("%s is not in the example", kind.Name)
		}
	}
}
