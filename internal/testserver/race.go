package testserver

import (
	"runtime/debug"
	"slices"
)

// Raced reports whether the race detector is in this binary: some tests take too
// long with it, and run without.
func Raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
