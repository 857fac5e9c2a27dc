package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
)

// shownDownload is what the CLI reads of a file that a grant gives.
type shownDownload struct {
	ID, Name, URL string
	Size          uint64
	ExpiresAt     *time.Time `json:"expires_at"`
	Downloads     int64
	MaxDownloads  *int64 `json:"max_downloads"`
}

func grantsDownloads(connect connector) *cobra.Command {
	return &cobra.Command{
		Use:   "downloads ID",
		Short: "Make fresh links to what a grant's customer may download now",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := objectID(args[0])
			if err != nil {
				return err
			}
			return ask(cmd, connect, http.MethodGet, "/v1/benefit-grants/"+id+"/downloads", nil, showDownloads)
		},
	}
}

func showDownloads(w io.Writer, v struct {
	Items   []shownDownload
	Problem string
}) error {
	t := newTable(w, "FILE", "NAME", "SIZE", "DOWNLOADS", "GOOD FOR", "LINK")
	for _, d := range v.Items {
		t.row(d.ID, short(d.Name, 40), humanize.Bytes(d.Size), d.times(), when(d.ExpiresAt), d.URL)
	}
	if err := t.Flush(); err != nil || v.Problem == "" {
		return err
	}
	_, err := fmt.Fprintln(w, plain(v.Problem))
	return err
}

func (d shownDownload) times() string {
	if d.MaxDownloads == nil {
		return fmt.Sprint(d.Downloads)
	}
	return fmt.Sprintf("%d of %d", d.Downloads, *d.MaxDownloads)
}
