package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"fulfilld/config"
)

func serveCommand(o *options) *cobra.Command {
	var single bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd, o, single)
		},
	}
	cmd.Flags().BoolVar(&single, "single", false, "this is the only daemon: an in-process Redis is fine beside Postgres")
	return cmd
}

// serve runs until the context ends, then lets what is under way finish.
func serve(cmd *cobra.Command, o *options, single bool) error {
	log := logger(config.Load(o.configFile, o.configFile != "", o.environ), cmd.ErrOrStderr())
	d, err := startDaemon(cmd.Context(), o, log, single)
	if err != nil {
		return err
	}
	log.Info("ready", "version", version, "webhooks", fmt.Sprintf("http://%s/webhooks/polar", d.publicAddr),
		"admin", fmt.Sprintf("http://%s", d.adminAddr), "ledger", d.ledger.Engine(), "redis_in_process", d.redis != nil)
	select {
	case <-cmd.Context().Done():
		log.Info("stopping", "within", d.cfg.ShutdownTimeout)
		return d.shutdown()
	case err := <-d.failed:
		d.close()
		return err
	}
}
