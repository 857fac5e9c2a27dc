package main

import (
	"github.com/spf13/cobra"
)

type exitError struct {
	Code int
	Err  error
}

func (e *exitError) Error() string { return e.Err.Error() }
func (e *exitError) Unwrap() error { return e.Err }

func operatorCommands(o *options) []*cobra.Command { return nil }

