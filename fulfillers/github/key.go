package github

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// key is the App's private key. In a variable, \n may stand for the ends of lines.
func (c Config) key() (*rsa.PrivateKey, error) {
	no := errors.New("private_key: must be the App's RSA key in PEM form; write private_key_file with the path of the file that GitHub made")
	block, _ := pem.Decode([]byte(strings.ReplaceAll(c.PrivateKey.Reveal(), `\n`, "\n")))
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
