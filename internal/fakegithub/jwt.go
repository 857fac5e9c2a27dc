package fakegithub

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const longestJWT = 10 * time.Minute // into the future

func undecodable() answer {
	return refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
}

// claims are what GitHub reads of an App's JWT. The issuer is the App's id, as a
// number or text, or its client id.
type claims struct {
	Issuer  json.RawMessage `json:"iss"`
	Issued  float64         `json:"iat"`
	Expires float64         `json:"exp"`
}

// verify finds the App that signed a JWT.
func (s *Server) verify(text string) (*app, *answer) {
	a := undecodable()
	parts := strings.Split(text, ".")
	var head struct {
		Algorithm string `json:"alg"`
	}
	var c claims
	if !decode(parts[0], &head) || !decode(parts[1], &c) || head.Algorithm != "RS256" {
		return nil, &a
	}
	signer := s.issuer(strings.Trim(string(c.Issuer), `"`))
	if signer == nil {
		a = refuse(http.StatusNotFound, "Integration not found")
		return nil, &a
	}
	if !signed(signer.Key, parts) {
		return nil, &a
	}
	if wrong := c.wrong(s.now()); wrong != "" {
		a = refuse(http.StatusUnauthorized, wrong)
		return nil, &a
	}
	return signer, nil
}

func decode(part string, into any) bool {
	text, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(text, into) == nil
}

func (s *Server) issuer(name string) *app {
	for id, a := range s.apps {
		if strconv.FormatInt(id, 10) == name || a.ClientID != "" && a.ClientID == name {
			return a
		}
	}
	return nil
}

func signed(key *rsa.PublicKey, parts []string) bool {
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return err == nil && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
}

// wrong says what is wrong with the times, in GitHub's words.
func (c claims) wrong(now time.Time) string {
	issued, expires := time.Unix(int64(c.Issued), 0), time.Unix(int64(c.Expires), 0)
	switch {
	case !now.Before(expires):
		return "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
	case expires.Sub(now) > longestJWT:
		return "'Expiration time' claim ('exp') is too far in the future"
	case issued.After(now):
		return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
	}
	return ""
}
