package main

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthCommand is for containers, which have no other program to ask with.
func healthCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "health",
		Short: "Ask the running daemon whether it is ready; exit 0 if so",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg := o.config()
			client := &http.Client{Timeout: 4 * time.Second}
			resp, err := client.Get("http://" + reachable(cfg.Listen) + "/readyz")
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			fmt.Fprintln(cmd.OutOrStdout(), resp.Status)
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("not ready: %s", resp.Status)
			}
			return nil
		},
	}
}

// reachable turns a listen address into one to call from the same machine.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "fulfilld", version)
			return err
		},
	}
}

func names[V any](m map[string]V) string {
	if len(m) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}
