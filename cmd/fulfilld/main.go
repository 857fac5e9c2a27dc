// Command fulfilld receives the webhooks of a billing platform and gives each
// customer what is owed: see the README.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set when a release is built.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "fulfilld:", err)
	code := 1
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.Code
	}
	os.Exit(code)
}

// run is the program: tests call it, too.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	root := rootCommand(environ)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}

func rootCommand(environ []string) *cobra.Command {
	o := &options{environ: environ}
	root := &cobra.Command{
		Use:           "fulfilld",
		Short:         "Gives each customer what their purchase promised, and takes it back when it ends.",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&o.configFile, "config", "", "the config file (default fulfilld.yaml, if there is one)")
	root.AddCommand(
		serveCommand(o), checkCommand(o, kinds(nil)), triggerCommand(o), demoCommand(o), healthCommand(o), versionCommand(),
	)
	root.AddCommand(operatorCommands(o)...)
	return root
}
