package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

func licensesStatus(connect connector, use, short, status string) *cobra.Command {
	return ofKey(use, short, func(cmd *cobra.Command, path string) error {
		return askKeys(cmd, connect, request{http.MethodPatch, path, nil, map[string]string{"status": status}}, showKey)
	})
}

func licensesRotate(connect connector) *cobra.Command {
	return ofKey("rotate", "Give a key another text; the old one is refused from now on (see the new one with --reveal)", func(cmd *cobra.Command, path string) error {
		return askKeys(cmd, connect, request{method: http.MethodPost, path: path + "/rotate"}, showKey)
	})
}

func licensesDeactivate(connect connector) *cobra.Command {
	return &cobra.Command{
		Use:   "deactivate ID ACTIVATION",
		Short: "Free a place where a key is used",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := objectID(args[0])
			if err != nil {
				return err
			}
			activation, err := uuid.Parse(args[1])
			if err != nil {
				return fmt.Errorf("%q is no activation; `fulfilld licenses activations %s` lists them", args[1], id)
			}
			if err := deactivate(cmd, connect, id, activation.String()); err != nil {
				return err
			}
			return askKeys(cmd, connect, request{method: http.MethodGet, path: "/v1/license-keys/" + id}, showActivations)
		},
	}
}

// deactivate does as an app would.
func deactivate(cmd *cobra.Command, connect connector, id, activation string) error {
	c, err := connect(cmd)
	if err != nil {
		return err
	}
	body, err := c.do(cmd.Context(), request{method: http.MethodGet, path: "/v1/license-keys/" + id})
	if err != nil {
		return err
	}
	var k shownKey
	if err := json.Unmarshal(body, &k); err != nil {
		return fmt.Errorf("the daemon's answer makes no sense; is it of another version? %w", err)
	}
	ask := map[string]string{"key": k.Key, "organization_id": k.OrganizationID, "activation_id": activation}
	_, err = c.do(cmd.Context(), request{http.MethodPost, "/v1/license-keys/deactivate", nil, ask})
	return err
}
