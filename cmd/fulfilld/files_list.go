package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"fulfilld/handlers"
)

// shownFile is what the CLI reads of a file.
type shownFile struct {
	ID, Name, Version string
	Size              uint64
	SHA256            string     `json:"checksum_sha256_hex"`
	LastModifiedAt    *time.Time `json:"last_modified_at"`
}

// filesCommand is how an operator puts files to be downloaded.
func filesCommand(connect connector) *cobra.Command {
	cmd := &cobra.Command{Use: "files", Short: "Put, list, rename and delete the files that benefits let customers download"}
	addAdminFlags(cmd)
	cmd.AddCommand(filesPut(connect), filesList(connect), filesRename(connect), filesDelete(connect))
	return cmd
}

func filesList(connect connector) *cobra.Command {
	var p paging
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List files, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, connect, http.MethodGet, "/v1/files/", p.query(), func(w io.Writer, v pageOf[shownFile]) error {
				t := newTable(w, "FILE", "NAME", "VERSION", "SIZE", "UPLOADED")
				for _, f := range v.Items {
					t.row(f.ID, short(f.Name, 60), short(f.Version, 16), humanize.Bytes(f.Size), when(f.LastModifiedAt))
				}
				return errors.Join(t.Flush(), p.footer(w, v.Pagination.MaxPage, v.Pagination.TotalCount))
			})
		},
	}
	p.add(cmd)
	return cmd
}

func filesRename(connect connector) *cobra.Command {
	var version string
	cmd := &cobra.Command{
		Use:   "rename ID NAME",
		Short: "Give a file another name; its bytes stay what they are",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := objectID(args[0])
			if err != nil {
				return err
			}
			body := map[string]string{"name": args[1]}
			if cmd.Flags().Changed("version") {
				body["version"] = version
			}
			return exchange(cmd, connect, request{method: http.MethodPatch, path: "/v1/files/" + id, body: body}, showFile)
		},
	}
	cmd.Flags().StringVar(&version, "version", "", "for people, for example 2.1")
	return cmd
}

func showFile(w io.Writer, f shownFile) error {
	_, err := fmt.Fprintf(w, "%s  %s, %s, SHA-256 %s\n", f.ID, plain(f.Name), humanize.Bytes(f.Size), f.SHA256)
	return err
}

func filesDelete(connect connector) *cobra.Command {
	return &cobra.Command{
		Use:   "delete ID",
		Short: "Take a file away from everybody at once, and say how many grants had it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := objectID(args[0])
			if err != nil {
				return err
			}
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			req, err := c.compose(cmd.Context(), request{method: http.MethodDelete, path: "/v1/files/" + id})
			if err != nil {
				return err
			}
			header, _, err := c.send(c.http, req)
			if err != nil {
				return err
			}
			return showDeleted(cmd, header.Get(handlers.GrantsHeader))
		},
	}
}

func showDeleted(cmd *cobra.Command, grants string) error {
	text := "Deleted. Grants that had it: " + plain(grants) + ".\n"
	if raw, _ := cmd.Flags().GetBool("json"); raw {
		text = `{"grants":` + plain(grants) + "}\n"
	}
	_, err := io.WriteString(cmd.OutOrStdout(), text)
	return err
}
