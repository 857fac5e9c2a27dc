package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fulfilld/internal/fakediscord"
	"fulfilld/internal/fakegithub"
)

const (
	lanesEach    = 20 // installations of the App, and guilds
	repositories = 50 // of all installations
	thinksFor    = time.Second
)

// outside is where access is sold: a GitHub and a Discord in this process.
type outside struct {
	factor    float64
	github    *fakegithub.Server
	discord   *fakediscord.Server
	app       int64
	key       *rsa.PrivateKey
	repos     []int64
	guilds    []string
	providers [2]*provider
	buyers    []*buyer // of both, in the order in which they buy
	stop      []func() error
	urls      [2]string
}

func newOutside(factor float64) (w *outside, err error) {
	w = &outside{
		factor:  factor,
		github:  fakegithub.New(fakegithub.Options{TimeFactor: factor}),
		discord: fakediscord.New(fakediscord.Options{TimeFactor: factor, Bot: fakediscord.Bot{Token: rand.Text()}}),
	}
	if w.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	w.providers = [2]*provider{w.hub(), w.chat()}
	for i, p := range w.providers {
		if w.urls[i], err = w.listen(p.spy); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	w.shuffle()
	return w, nil
}

// hub is GitHub with an organisation and an installation for each lane.
func (w *outside) hub() *provider {
	p := newProvider("GitHub", "github_repository", w.github, fakegithub.Limits{}.Spacing())
	owner := w.github.AddUser(fakegithub.User{Login: "seller"})
	_ = owner
	return p
}
