package main

import (
	"log/slog"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"fulfilld/tasks"
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
	spareProcs()
	log := logger(o.config(), cmd.ErrOrStderr())
	tasks.LogRedis(log)
	d, err := startDaemon(cmd.Context(), o, log, single)
	if err != nil {
		return err
	}
	log.Info("ready", slog.String("version", version), slog.String("webhooks", "http://"+d.publicAddr.String()+"/webhooks/polar"),
		slog.String("admin", "http://"+d.adminAddr.String()), slog.String("ledger", d.ledger.Engine()), slog.Bool("redis_in_process", d.redis != nil))
	select {
	case <-cmd.Context().Done():
		log.Info("stopping", slog.Duration("within", d.cfg.ShutdownTimeout))
		return d.shutdown()
	case err := <-d.failed:
		d.close()
		return err
	}
}

// spareProcs gives Go's scheduler two places more than there are processors. A
// thread that waits for the disk keeps its place for a while, and on a small
// machine the others would wait with it. GOMAXPROCS in the environment is
// respected.
func spareProcs() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	}
}
