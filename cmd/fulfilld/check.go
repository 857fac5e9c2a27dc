package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"fulfilld/config"
	"fulfilld/fulfillers"
)

func checkCommand(o *options, all []fulfillers.Kind) *cobra.Command {
	var print, online bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Report every problem of the config, with its mend",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, built, err := o.load(config.Serve, all)
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
			if !online {
				return nil
			}
			return checkOnline(cmd.Context(), cmd.OutOrStdout(), append(credentials(built), configured(built, cfg.Benefits)...))
		},
	}
	cmd.Flags().BoolVar(&print, "print", false, "print the effective config, secrets redacted")
	cmd.Flags().BoolVar(&online, "online", false, "then ask each provider whether it lets us do what the config's benefits ask for; changes nothing there")
	cmd.MarkFlagsMutuallyExclusive("print", "online")
	return cmd
}

// checkOnline prints a line for each probe.
func checkOnline(ctx context.Context, w io.Writer, all []probe) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "None of them has a provider to ask.")
		return err
	}
	refused := 0
	for i, answer := range askAll(ctx, all) {
		if err := <-answer; err != nil {
			refused++
			fmt.Fprintf(w, "problem  %s: %s\n", all[i], oneLine(err))
			continue
		}
		fmt.Fprintf(w, "ok       %s\n", all[i])
	}
	if refused > 0 {
		return fmt.Errorf("%d of %d probes have problems", refused, len(all))
	}
	return nil
}
