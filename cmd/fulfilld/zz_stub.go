package main

import (
	"net/http"

	"github.com/spf13/cobra"
)

type exitError struct {
	Code int
	Err  error
}

func (e *exitError) Error() string { return e.Err.Error() }
func (e *exitError) Unwrap() error { return e.Err }

func operatorCommands(o *options) []*cobra.Command { return nil }

func (d *daemon) adminHandler() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.Handle("/metrics", d.metricsHandler())
	d.queues = newDashboard(d.queue.Redis)
	mux.Handle("/queues/", d.queues)
	mux.Handle("/", d.health)
	return mux, nil
}
