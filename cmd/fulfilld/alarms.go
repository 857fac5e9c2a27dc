package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// shownAlarm is what the CLI reads of an alarm.
type shownAlarm struct {
	Code, Text, Next string
	Since, Last      *time.Time
	Count            int
}

// alarmsCommand shows what a person must see to. It exits 0 with alarms, too:
// the metric fulfilld_alarm is for watching.
func alarmsCommand(connect connector) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alarms",
		Short: "Show the alarms that stand, and what to do about each",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, connect, http.MethodGet, "/v1/alarms/", nil, showAlarms)
		},
	}
	addAdminFlags(cmd)
	return cmd
}

func showAlarms(w io.Writer, v pageOf[shownAlarm]) error {
	if len(v.Items) == 0 {
		_, err := fmt.Fprintln(w, "No alarms.")
		return err
	}
	for i, a := range v.Items {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s, raised %s, last %s, %d times\n  %s\n  Next: %s\n",
			plain(a.Code), when(a.Since), when(a.Last), a.Count, plain(a.Text), plain(a.Next))
	}
	return nil
}
