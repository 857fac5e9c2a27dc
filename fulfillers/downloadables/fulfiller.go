// Package downloadables lets a grant's customer download files, for as long as the
// grant lives.
//
// It decides which files a grant gives, and leaves keeping that to a [Store]. It
// knows neither where a file's bytes are nor how they reach the customer.
package downloadables

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// Store keeps which files a fulfilment gives. Both calls may be repeated.
type Store interface {
	// GiveFiles makes files, in their order, what the fulfilment gives, each to be
	// downloaded at most max times (nil: as the config says), and takes away any
	// other. It returns those that are here, and those that never were. It fails,
	// and changes nothing, when generation is no longer the fulfilment's.
	GiveFiles(ctx context.Context, fulfilmentID string, files []string, max *int64, generation int64) (here []grant.File, missing []string, err error)

	// TakeFiles ends all of the fulfilment's downloads. None is no error. It fails
	// like GiveFiles.
	TakeFiles(ctx context.Context, fulfilmentID string, generation int64) error
}

// Fulfiller gives files to download. It is made by [New].
type Fulfiller struct {
	config Config
	store  Store
}

// New returns a fulfiller that keeps what it gives in store.
func New(c Config, store Store) *Fulfiller { return &Fulfiller{c, store} }

// Local implements fulfillers.Local.
func (*Fulfiller) Local() {}

// Config returns what the fulfiller was made with.
func (d *Fulfiller) Config() Config { return d.config }

// Check implements fulfillers.Fulfiller.
func (*Fulfiller) Check(raw json.RawMessage) error {
	_, err := parse(raw)
	return err
}

// Grant implements fulfillers.Fulfiller. What is here can be downloaded although
// the merchant is still to put the rest.
func (d *Fulfiller) Grant(ctx context.Context, f grant.Fulfilment) (grant.Properties, error) {
	p, err := parse(f.Target.Params)
	if err != nil {
		return nil, fulfillers.Permanent("bad_params", "downloadables: "+err.Error())
	}
	here, missing, err := d.store.GiveFiles(ctx, f.ID, p.shown(), p.MaxDownloads, f.Generation)
	if err != nil {
		return nil, fulfillers.Transient("store", fmt.Errorf("downloadables: give the files of %s: %w", f.ID, err))
	}
	if len(missing) > 0 {
		err = fulfillers.ActionRequired(grant.FileMissingCode, waiting(missing))
	}
	return properties(here), err
}

// Revoke implements fulfillers.Fulfiller.
func (d *Fulfiller) Revoke(ctx context.Context, f grant.Fulfilment) error {
	if err := d.store.TakeFiles(ctx, f.ID, f.Generation); err != nil {
		return fulfillers.Transient("store", fmt.Errorf("downloadables: take the files of %s: %w", f.ID, err))
	}
	return nil
}

// properties are the platform's, files by their ids, with their names beside them.
// No address is among them: each is good for an hour, and made when asked for.
func properties(here []grant.File) grant.Properties {
	ids, named := []string{}, []map[string]string{}
	for _, f := range here {
		ids, named = append(ids, f.ID), append(named, map[string]string{"id": f.ID, "name": f.Name})
	}
	return grant.Properties{"files": ids, "downloadables": named}
}

// most is how many missing files a text names.
const most = 5

func waiting(missing []string) string {
	var mends []string
	for _, id := range missing[:min(most, len(missing))] {
		mends = append(mends, "`fulfilld files put --id "+id+" FILE`")
	}
	text := "downloadables: waiting on the merchant: a file is not here yet; " + strings.Join(mends, ", ")
	if more := len(missing) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
