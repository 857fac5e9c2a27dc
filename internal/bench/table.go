package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
)

// line is a figure of two columns, and what is asked of the right one.
type line struct {
	part, what string
	goal       goal
}

// goal is met or missed.
type goal struct {
	text string
	met  func(left, right float64) bool
}

func times(x float64) goal {
	return goal{fmt.Sprintf("≥ %.1f × left", x), func(left, right float64) bool { return right >= x*left }}
}

func atLeast(x float64) goal {
	return goal{fmt.Sprintf("≥ %v", x), func(_, right float64) bool { return right >= x }}
}

func atMost(x float64) goal {
	return goal{fmt.Sprintf("≤ %v", x), func(_, right float64) bool { return right <= x }}
}

func bothAtLeast(x float64) goal {
	return goal{fmt.Sprintf("≥ %v, both", x), func(left, right float64) bool { return min(left, right) >= x }}
}

var (
	bothNone = goal{"0, both", func(left, right float64) bool { return left == 0 && right == 0 }}
	faster   = goal{"≤ left", func(left, right float64) bool { return right <= left }}
)

// columns are the two things a part compares.
var columns = map[string][2]string{
	"burst":      {"floor", "fulfilld"},
	"burst-info": {"log at warn", "log at info"},
	"pickup":     {"floor", "fulfilld"},
	"idle":       {"floor", "fulfilld"},
	"start":      {"fresh ledger", "used ledger"},
	"full":       {"empty ledger", "full ledger"},
	"postgres":   {"SQLite", "Postgres"},
	"credits":    {"floor", "fulfilld"},
	"credits-pg": {"SQLite", "Postgres"},

	"access":         {"GitHub", "Discord"},
	"access-revokes": {"waiting grants, median", "revokes, p99"},
	"access-daemon":  {"", "fulfilld"},
	"licenses":       {"floor", "fulfilld, 100,000 keys"},
	"licenses-size":  {"100,000 keys", "as many as -keys"},
}

const (
	ack       = "acknowledged, events/s"
	ackP50    = "acknowledgement p50, ms"
	ackP99    = "acknowledgement p99, ms"
	jobs      = "done, jobs/s"
	drain     = "last job after last acknowledgement, s"
	lost      = "acknowledged, not done"
	cpuProg   = "CPU of the program per event, µs"
	cpuRedis  = "CPU of Redis per event, µs"
	cpuLoad   = "CPU of the load per event, µs"
	pickP50   = "sent -> done p50, ms"
	pickP99   = "sent -> done p99, ms"
	idleCPU   = "CPU, % of a core"
	idleRSS   = "memory at rest (VmRSS), MB"
	afterRSS  = "memory after the burst (VmRSS), MB"
	highRSS   = "memory at its highest (VmHWM), MB"
	firstAck  = "start -> first 202, ms"
	fileSize  = "ledger file at the start, MB"
	fillTime  = "filling it took, s"
	highFull  = "memory at its highest (VmHWM), MB"
	startFull = "start -> listening, ms"
	usedHalf  = "share of the allowed changes, median lane"
	usedLeast = "share of the allowed changes, worst lane"
	usedReads = "share of the allowed reads of members, median lane"
	beyond    = "requests beyond a limit"
	refused   = "answers 401, 403 and 429"
	undone    = "left (GitHub: not even invited)"
	waitP50   = "sent -> given (GitHub: invited) p50, s"
	waitMost  = "sent -> given (GitHub: invited), slowest, s"
	fairness  = "end of the slowest lane by that of the fastest"
	calls     = "requests per grant"
	cpuGrant  = "CPU of the program per grant, µs"
	cpuStore  = "CPU of Redis per grant, µs"
	validated = "validations/s"
	validP50  = "answer p50, ms"
	validP99  = "answer p99, ms"
	cpuValid  = "CPU of the program per validation, µs"
	cpuAsker  = "CPU of the load per validation, µs"

	spendOne     = "one event a request: consumed, events/s"
	spendOneP99  = "one event a request: answer p99, ms"
	spendOneCPU  = "one event a request: CPU of the program per event, µs"
	spendMany    = "100 events a request: consumed, events/s"
	spendManyP99 = "100 events a request: answer p99, ms"
	spendManyCPU = "100 events a request: CPU of the program per event, µs"
	spendLost    = "acknowledged, not in a balance"
)

var lines = []line{
	{"burst", ack, times(.8)},
	{"burst", ackP50, goal{}},
	{"burst", ackP99, atMost(20)},
	{"burst", jobs, times(.6)},
	{"burst", drain, goal{}},
	{"burst", lost, atMost(0)},
	{"burst", cpuProg, goal{}},
	{"burst", cpuRedis, goal{}},
	{"burst", cpuLoad, goal{}},
	{"burst-info", ack, goal{}},
	{"burst-info", ackP99, goal{}},
	{"burst-info", jobs, goal{}},
	{"pickup", pickP50, goal{}},
	{"pickup", pickP99, atMost(30)},
	{"pickup", ackP99, goal{}},
	{"pickup", lost, atMost(0)},
	{"idle", idleCPU, atMost(3)},
	{"idle", idleRSS, atMost(80)},
	{"idle", afterRSS, atMost(80)},
	{"idle", highRSS, goal{}},
	{"start", firstAck, goal{"≤ 150, both", func(left, right float64) bool { return max(left, right) <= 150 }}},
	{"full", ack, times(.9)},
	{"full", ackP50, goal{}},
	{"full", ackP99, atMost(20)},
	{"full", jobs, times(.9)},
	{"full", lost, atMost(0)},
	{"full", pickP50, goal{}},
	{"full", pickP99, atMost(30)},
	{"full", cpuProg, goal{}},
	{"full", startFull, goal{}},
	{"full", highFull, goal{}},
	{"full", fileSize, goal{}},
	{"full", fillTime, goal{}},
	{"postgres", ack, goal{}},
	{"postgres", ackP50, goal{}},
	{"postgres", ackP99, goal{}},
	{"postgres", jobs, goal{}},
	{"postgres", lost, atMost(0)},
	{"postgres", cpuProg, goal{}},
	{"postgres", pickP50, goal{}},
	{"postgres", pickP99, goal{}},
	{"credits", spendOne, atLeast(3000)},
	{"credits", spendOneP99, goal{}},
	{"credits", spendOneCPU, goal{}},
	{"credits", spendMany, atLeast(3000)},
	{"credits", spendManyP99, goal{}},
	{"credits", spendManyCPU, goal{}},
	{"credits", spendLost, atMost(0)},
	{"credits-pg", spendOne, bothAtLeast(3000)},
	{"credits-pg", spendOneP99, goal{}},
	{"credits-pg", spendOneCPU, goal{}},
	{"credits-pg", spendMany, bothAtLeast(3000)},
	{"credits-pg", spendManyP99, goal{}},
	{"credits-pg", spendManyCPU, goal{}},
	{"credits-pg", spendLost, bothNone},
	{"access", usedHalf, bothAtLeast(.9)},
	{"access", usedLeast, bothAtLeast(.9)},
	{"access", usedReads, goal{}},
	{"access", beyond, bothNone},
	{"access", refused, bothNone},
	{"access", undone, bothNone},
	{"access", waitP50, goal{}},
	{"access", waitMost, goal{}},
	{"access", fairness, goal{}},
	{"access", calls, goal{}},
	{"access-revokes", "GitHub, s", faster},
	{"access-revokes", "GitHub, p50, s", goal{}},
	{"access-revokes", "Discord, s", faster},
	{"access-revokes", "Discord, p50, s", goal{}},
	{"access-daemon", ack, goal{}},
	{"access-daemon", cpuGrant, goal{}},
	{"access-daemon", cpuStore, goal{}},
	{"access-daemon", highRSS, goal{}},
	{"licenses", validated, atLeast(5000)},
	{"licenses", validP50, goal{}},
	{"licenses", validP99, atMost(10)},
	{"licenses", cpuValid, goal{}},
	{"licenses", cpuAsker, goal{}},
	{"licenses-size", validated, times(.9)},
	{"licenses-size", validP50, goal{}},
	{"licenses-size", validP99, atMost(10)},
	{"licenses-size", cpuValid, goal{}},
}

// notes stand below the table when their part was measured.
var notes = map[string]string{
	"credits": `The floor of credits is a counter in Redis for each customer, and a key for each event,
in one pipeline a request: it has no entries, refuses nothing, and forgets what was not
yet written when Redis stops. 32 connections, 100 customers.
`,
	"access": `Allowed in a lane: of GitHub, 1 write a second of an installation, which is its advice
and our spacing; the limit is 80 a minute. Of Discord, 10 changes of roles and 10 reads
of members in 10 s of a guild, as its headers say (nothing is documented; assumed), and
of the bot 50 calls a second. The share counts a lane's time with work only. The
invitations are accepted; the daemon looks 5 minutes later, so invited is given here.
Revokes are sent, one a second, once half of the grants are given, and count without the
second that the daemon lets them settle; beside them is how much longer it took for the
other half of the grants.
`,
}

// cell is where a figure stands: a part, a column and a line.
type cell struct {
	part   string
	column int
	what   string
}

// table is every figure of every round.
type table map[cell][]float64

func (t table) add(part string, column int, what string, v float64) {
	c := cell{part, column, what}
	t[c] = append(t[c], v)
}

// share has a column show what another has measured.
func (t table) share(to string, column int, from string, fromColumn int) {
	for c, v := range t {
		if c.part == from && c.column == fromColumn {
			t[cell{to, column, c.what}] = v
		}
	}
}

func (t table) print(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	part, after := "", ""
	for _, l := range lines {
		left, right := t[cell{l.part, 0, l.what}], t[cell{l.part, 1, l.what}]
		if len(right) == 0 {
			continue
		}
		if l.part != part {
			part = l.part
			after += notes[part]
			c := columns[part]
			fmt.Fprintf(out, "%s\t%s\t%s\tgoal\t\n", part, c[0], c[1])
		}
		fmt.Fprintf(out, "  %s\t%s\t%s\t%s\t%s\n", l.what, show(left), show(right), l.goal.text, l.goal.verdict(left, right))
	}
	if after != "" {
		fmt.Fprint(out, "\n"+after)
	}
	return out.Flush()
}

func (g goal) verdict(left, right []float64) string {
	switch {
	case g.met == nil:
		return ""
	case g.met(median(left), median(right)):
		return "met"
	}
	return "MISSED"
}

// show is the median, and the range of several.
func show(v []float64) string {
	switch len(v) {
	case 0:
		return "–"
	case 1:
		return number(v[0])
	}
	return fmt.Sprintf("%s (%s–%s)", number(median(v)), number(slices.Min(v)), number(slices.Max(v)))
}

func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100:
		return thousands(int64(v + .5))
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
