// Package alarm is the board of conditions that a person must see: each stands
// there, in the log, in a gauge and at an optional address until it is resolved.
//
// It knows neither what causes an alarm nor how it is mended: both come as
// text, which must hold no secret.
package alarm

import "time"

// The codes. They are metric labels and what scripts match on, and stay as they are.
const (
	RedisDown         = "redis_down"         // Redis does not answer
	RedisEmptied      = "redis_emptied"      // Redis has lost its tasks; for information
	RedisPolicy       = "redis_policy"       // Redis may evict tasks
	RedisVersion      = "redis_version"      // Redis is too old
	QueuePaused       = "queue_paused"       // somebody has paused a queue
	LedgerDown        = "ledger_down"        // the ledger cannot commit
	WebhooksRefused   = "webhooks_refused"   // deliveries are refused, and none is accepted
	WebhookFormat     = "webhook_format"     // an endpoint sends something other than raw events
	WebhookConflict   = "webhook_conflict"   // a known event came with another body
	EventsFailed      = "events_failed"      // events could not be applied
	FulfilmentsFailed = "fulfilments_failed" // fulfilments that a person must look at
	FulfilmentsHeld   = "fulfilments_held"   // fulfilments wait for something that must be mended
	RevocationsStuck  = "revocations_stuck"  // access still stands that should be gone
	UnappliedEvents   = "unapplied_events"   // events have waited too long
	BadSpec           = "bad_spec"           // a benefit's parameters are refused
	ProviderRefuses   = "provider_refuses"   // a provider does not let us do what is asked for
	LaneResting       = "lane_resting"       // a provider wants to be left alone
	ProxyNotTrusted   = "proxy_not_trusted"  // all clients of a proxy are taken for one
	DeliveriesFailed  = "deliveries_failed"  // endpoints were not told, and are not told again
	EndpointFailing   = "endpoint_failing"   // an endpoint has not taken something for long
	EndpointGone      = "endpoint_gone"      // an endpoint has answered 410
	ApprovalNeeded    = "approval_needed"    // an edit would take away more than is let through unasked
	FilesMissing      = "files_missing"      // grants wait for files that the merchant is to put
)

// Codes lists every code.
var Codes = [...]string{
	RedisDown, RedisEmptied, RedisPolicy, RedisVersion, QueuePaused, LedgerDown, WebhooksRefused, WebhookFormat, WebhookConflict,
	EventsFailed, FulfilmentsFailed, RevocationsStuck, UnappliedEvents, BadSpec,
	ProviderRefuses, LaneResting, ApprovalNeeded, FulfilmentsHeld, ProxyNotTrusted, DeliveriesFailed, EndpointFailing, EndpointGone, FilesMissing,
}

// passes are the alarms about something that happened rather than something
// that is so. Nobody resolves them: they stand for a while after the last time.
var passes = map[string]time.Duration{
	RedisEmptied:    15 * time.Minute,
	WebhooksRefused: time.Hour,
	WebhookConflict: 24 * time.Hour,
	WebhookFormat:   24 * time.Hour, // a quiet shop sends a few events a day
}

// Alarm is a condition that stands.
type Alarm struct {
	Code  string
	Text  string    // what is so
	Next  string    // what to do about it
	Since time.Time // first raised
	Last  time.Time // last raised
	Count int       // how often it was raised
}

// over reports whether the alarm has passed by itself.
func (a Alarm) over(now time.Time) bool {
	d, ok := passes[a.Code]
	return ok && now.Sub(a.Last) > d
}
