package handlers

import (
	"context"
	"net/http"
	"strings"
	"time"

	"fulfilld/grant"
	"fulfilld/internal/signed"
)

// downloadables is the kind that gives files.
const downloadables = "downloadables"

// Link is where a customer can download a file of a grant, until it expires. The
// grant is asked again whenever it is followed.
type Link struct {
	URL       string
	ExpiresAt time.Time
}

// Link makes a link; it is empty without a public_url.
func (f *Files) Link(ctx context.Context, grantID, fileID string) (Link, error) {
	if f.PublicURL == "" {
		return Link{}, nil
	}
	payload, err := pair(grantID, fileID)
	if err != nil {
		return Link{}, err
	}
	until := time.Now().Add(f.LinkLife).Truncate(time.Second)
	token, err := signed.Seal(ctx, f.Links, payload, until)
	return Link{strings.TrimRight(f.PublicURL, "/") + "/downloads/" + token, until}, err
}

// Owed returns the files that a grant's customer may download now.
func (f *Files) Owed(ctx context.Context, grantID string) (owed []grant.Download, err error) {
	all, err := f.Ledger.Downloads(ctx, grant.FulfilmentID(grantID, downloadables))
	for _, d := range all {
		if d.Owed {
			owed = append(owed, d)
		}
	}
	return owed, err
}

// downloadItem is a file that a grant's customer may download now.
type downloadItem struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Size         int64  `json:"size"`
	URL          text   `json:"url"`
	ExpiresAt    stamp  `json:"expires_at"`
	Downloads    int64  `json:"downloads"`
	MaxDownloads *int64 `json:"max_downloads"` // null: any number
}

// noPublicURL is why there are no links.
const noPublicURL = "There are no links, because public_url is not set in the config of the daemon. It is the address at which customers reach it."

// downloads answers fresh links for support people and merchants' programs.
func (f *Files) downloads(l GrantList) endpoint {
	return func(r *http.Request) (any, error) {
		id, err := pathID(r)
		if err != nil {
			return nil, err
		}
		if _, err := l.Grant(r.Context(), id); err != nil {
			return nil, err
		}
		owed, err := f.Owed(r.Context(), id)
		if err != nil {
			return nil, err
		}
		items := make([]downloadItem, 0, len(owed))
		for _, d := range owed {
			link, err := f.Link(r.Context(), id, d.ID)
			if err != nil {
				return nil, err
			}
			item := downloadItem{ID: d.ID, Name: d.Name, Size: d.Size, URL: text(link.URL), ExpiresAt: stamp(link.ExpiresAt), Downloads: d.Count}
			if most := f.most(d); most > 0 {
				item.MaxDownloads = &most
			}
			items = append(items, item)
		}
		return struct {
			Items   []downloadItem `json:"items"`
			Problem text           `json:"problem"`
		}{items, f.problem()}, nil
	}
}

func (f *Files) problem() text {
	if f.PublicURL == "" {
		return noPublicURL
	}
	return ""
}

// most is how many times a grant's customer may download a file; 0 is any number.
func (f *Files) most(d grant.Download) int64 {
	if d.Max != nil {
		return *d.Max
	}
	return f.Max
}
