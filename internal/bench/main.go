// Command bench measures fulfilld beside a bare floor: the same webhook
// verified and queued, with a worker that does nothing and no ledger. Both get
// the same load, one after the other, in every round. See docs/performance.md.
//
// It talks to servers it starts itself, on loopback only, and removes them and
// all they kept when it ends.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// settings are the flags.
type settings struct {
	parts        string
	rounds       int
	burst, short time.Duration
	pickup, idle time.Duration
	full         int
	keys         int
	factor       float64
	concurrency  int
	dir          string
	limit        time.Duration
}

func main() {
	var s settings
	flag.StringVar(&s.parts, "part", "burst,pickup,idle,start,full,postgres,credits", "what to measure; access, which takes four minutes, and licenses only when they are asked for")
	flag.IntVar(&s.rounds, "rounds", 3, "how often each part of burst, pickup, licenses and credits is measured; medians count")
	flag.DurationVar(&s.burst, "burst", 10*time.Second, "how long a burst is")
	flag.DurationVar(&s.short, "short", 3*time.Second, "how long a burst or a pickup is in part full, and a round of parts licenses and credits")
	flag.DurationVar(&s.pickup, "pickup", 10*time.Second, "how long the steady load of pickup is")
	flag.DurationVar(&s.idle, "idle", 10*time.Second, "how long the idle daemon is watched")
	flag.IntVar(&s.full, "full", 1_000_000, "events in the ledger of part full (some 5 KB each)")
	flag.IntVar(&s.keys, "keys", 1_000_000, "license keys in the larger ledger of part licenses (some 2 KB each); 0: only the small one, of 100,000")
	flag.Float64Var(&s.factor, "factor", 1, "how many times faster the providers' limits pass in part access; the daemon's own waits for them do not all")
	flag.IntVar(&s.concurrency, "concurrency", 0, "fulfilments at a time of each kind in part access; 0: the daemon's default")
	flag.StringVar(&s.dir, "dir", "", "where ledgers lie (default: the temporary directory if it is on this disk, else here)")
	flag.DurationVar(&s.limit, "limit", 20*time.Minute, "give up after this long")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	b, err := newBench(ctx, s)
	if err != nil {
		return err
	}
	defer b.close()
	facts, err := b.facts()
	if err != nil {
		return err
	}
	wanted := strings.Split(s.parts, ",")
	for _, p := range []struct {
		names []string
		run   func(want func(string) bool) error
	}{
		{[]string{"idle"}, b.idle},
		{[]string{"burst", "pickup"}, b.rounds},
		{[]string{"start"}, b.starts},
		{[]string{"full"}, b.full},
		{[]string{"postgres"}, b.postgres},
		{[]string{"access"}, b.access},
		{[]string{"licenses"}, b.licenses},
		{[]string{"credits"}, b.credits},
	} {
		want := func(name string) bool { return slices.Contains(wanted, name) }
		if !slices.ContainsFunc(p.names, want) {
			continue
		}
		if err := p.run(want); err != nil {
			return err
		}
	}
	fmt.Println(facts)
	return b.table.print(os.Stdout)
}
