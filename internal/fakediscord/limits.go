package fakediscord

import (
	"cmp"
	"time"
)

// Window allows so many requests in each stretch of time that begins with the
// first of them. Zero is the default; Requests below 0 are no limit.
type Window struct {
	Requests int
	Per      time.Duration
}

// Limits are the rate limits. Discord publishes only Global and Invalid, at
// https://discord.com/developers/docs/topics/rate-limits; it asks not to build
// on the others, which change: their defaults here are assumed.
type Limits struct {
	Global      Window        // per bot; 50 a second
	MemberRoles Window        // per bot and guild, giving and taking together; 10 were seen, in assumed 10 s
	Members     Window        // per bot, guild and method, bans included; assumed: 10 in 10 s
	Invites     Window        // per bot, channel or guild, and method; assumed: 5 in 10 s
	Others      Window        // per bot, guild and method; assumed: 50 in 10 s
	Invalid     Window        // 401, 403 and 429 answers; 10,000 in 10 minutes
	Ban         time.Duration // how long nothing is answered after more; assumed: 10 minutes
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.Global, 50, time.Second)
	orDefault(&l.MemberRoles, 10, 10*time.Second)
	orDefault(&l.Members, 10, 10*time.Second)
	orDefault(&l.Invites, 5, 10*time.Second)
	orDefault(&l.Others, 50, 10*time.Second)
	orDefault(&l.Invalid, 10_000, 10*time.Minute)
	l.Ban = cmp.Or(l.Ban, 10*time.Minute)
	return l
}

func orDefault(w *Window, requests int, per time.Duration) {
	w.Requests = cmp.Or(w.Requests, requests)
	w.Per = cmp.Or(w.Per, per)
}

func (l Limits) faster(factor float64) Limits {
	if factor == 0 {
		return l
	}
	all := []*time.Duration{&l.Global.Per, &l.MemberRoles.Per, &l.Members.Per, &l.Invites.Per, &l.Others.Per, &l.Invalid.Per, &l.Ban}
	for _, d := range all {
		*d = time.Duration(float64(*d) / factor)
	}
	return l
}

func (l Limits) of(b bucket) Window {
	switch b {
	case roleBucket:
		return l.MemberRoles
	case memberBucket:
		return l.Members
	case inviteBucket:
		return l.Invites
	}
	return l.Others
}
