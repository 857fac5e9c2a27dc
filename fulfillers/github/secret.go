package github

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Secret is text that never prints itself. Its SetSecret has the config fill it,
// redact it, and read it from a <name>_file.
type Secret struct{ text func() string }

// NewSecret keeps text as a secret.
func NewSecret(text string) (s Secret) {
	s.SetSecret(text)
	return s
}

// SetSecret replaces the text.
func (s *Secret) SetSecret(text string) { s.text = func() string { return text } }

func (s Secret) reveal() string {
	if s.text == nil {
		return ""
	}
	return s.text()
}

func (s Secret) empty() bool { return s.reveal() == "" }

// Format implements fmt.Formatter for every verb.
func (s Secret) Format(f fmt.State, _ rune) {
	if !s.empty() {
		_, _ = io.WriteString(f, "[redacted]")
	}
}

// key is the App's private key. In a variable, \n may stand for the ends of lines.
func (c Config) key() (*rsa.PrivateKey, error) {
	no := errors.New("private_key: must be the App's RSA key in PEM form; write private_key_file with the path of the file that GitHub made")
	block, _ := pem.Decode([]byte(strings.ReplaceAll(c.PrivateKey.reveal(), `\n`, "\n")))
	if block == nil {
		return nil, no
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	any, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
	if key, ok := any.(*rsa.PrivateKey); ok {
		return key, nil
	}
	return nil, no
}
