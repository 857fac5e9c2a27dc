package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// shownEvent is what the CLI reads of an event.
type shownEvent struct {
	ID, Source, Type, State, Error string
	OccurredAt                     *time.Time `json:"occurred_at"`
	ReceivedAt                     *time.Time `json:"received_at"`
	Body                           json.RawMessage
}

// eventsCommand is what an operator does about events.
func eventsCommand(connect connector) *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "List webhook events, show one, apply them again"}
	addAdminFlags(cmd)
	cmd.AddCommand(eventsList(connect), eventsShow(connect), eventsReplay(connect))
	return cmd
}

func eventsList(connect connector) *cobra.Command {
	var p paging
	var states, types []string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List events, the latest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := p.query()
			q["state"], q["type"] = states, types
			return ask(cmd, connect, http.MethodGet, "/v1/events/", q, func(w io.Writer, v pageOf[shownEvent]) error {
				t := newTable(w, "EVENT", "TYPE", "STATE", "RECEIVED", "WHY")
				for _, ev := range v.Items {
					t.row(ev.ID, ev.Type, ev.State, when(ev.ReceivedAt), short(ev.Error, 60))
				}
				return errors.Join(t.Flush(), p.footer(w, v.Pagination.MaxPage, v.Pagination.TotalCount))
			})
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "only in these states: accepted, applied, ignored, failed")
	cmd.Flags().StringSliceVar(&types, "type", nil, "only of these types, such as benefit_grant.created")
	p.add(cmd)
	return cmd
}

func eventsShow(connect connector) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show an event with its body",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := eventPath(args[0])
			if err != nil {
				return err
			}
			return ask(cmd, connect, http.MethodGet, path, nil, showEvent)
		},
	}
}

func showEvent(w io.Writer, ev shownEvent) error {
	for _, field := range [][2]string{
		{"Event", ev.ID}, {"Type", ev.Type}, {"Source", ev.Source}, {"State", ev.State}, {"Why", ev.Error},
		{"Occurred", exactly(ev.OccurredAt)}, {"Received", exactly(ev.ReceivedAt)},
	} {
		if field[1] != "" {
			fmt.Fprintf(w, "%-10s%s\n", field[0], plain(field[1]))
		}
	}
	if string(ev.Body) == "null" {
		_, err := fmt.Fprintln(w, "\nIts body is past retention.")
		return err
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, ev.Body, "", "  "); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for line := range strings.Lines(pretty.String()) {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		fmt.Fprintln(w, indent+plain(line))
	}
	return nil
}

// exactly is a time for comparing with other logs.
func exactly(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339Nano) + " (" + when(t) + ")"
}

func eventsReplay(connect connector) *cobra.Command {
	var failed bool
	cmd := &cobra.Command{
		Use:   "replay [ID]",
		Short: "Apply an event again, or every failed one with --failed; that is always harmless",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if failed == (len(args) == 1) {
				return errors.New("name one event, or say --failed for all that failed")
			}
			path := "/v1/events"
			if !failed {
				var err error
				if path, err = eventPath(args[0]); err != nil {
					return err
				}
			}
			return ask(cmd, connect, http.MethodPost, path+"/replay", nil, func(w io.Writer, v struct{ Replayed int64 }) error {
				_, err := fmt.Fprintf(w, "%d will be applied again; see `fulfilld events list`.\n", v.Replayed)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "every event that could not be applied")
	return cmd
}

// eventPath is where an event stands. Its id is the sender's choice.
func eventPath(id string) (string, error) {
	if id == "" || id == "." || id == ".." || plain(id) != id {
		return "", fmt.Errorf("%q is no webhook-id", id)
	}
	return "/v1/events/" + url.PathEscape(id), nil
}
