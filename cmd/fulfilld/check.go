package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"fulfilld/config"
)

func checkCommand(o *options) *cobra.Command {
	var print bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Report every problem of the config, with its mend",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, built, err := o.load(config.Serve, kinds(nil))
			if err != nil {
				return err
			}
			if print {
				return cfg.Print(cmd.OutOrStdout())
			}
			file := cfg.File()
			if file == "" {
				file = "the environment alone"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The config is fine (%s). Kinds switched on: %s.\n", file, names(built))
			return nil
		},
	}
	cmd.Flags().BoolVar(&print, "print", false, "print the effective config, secrets redacted")
	return cmd
}
