package handlers

import (
	"context"
	"log/slog"
	"maps"
	"net/http"

	"fulfilld/grant"
	"fulfilld/internal/alarm"
)

// AdminLedger is what the operator looks at.
type AdminLedger interface {
	BenefitList
	GrantList
	LicenseKeyList
	LicenseKeyDesk
	LicenseKeyUse
	EventList
	CustomerList
	buyers
	StateLedger
	CreditLedger
}

// AdminOptions is what the operator's listener is made of.
type AdminOptions struct {
	Ledger AdminLedger
	Token  string   // the operator's; without one nobody else is let in
	Tokens []Token  // programs', for what their scopes name
	Hosts  []string // names a request may be addressed to, beside loopback
	Listen string   // the listener's address, which is one of them
	Health http.Handler
	// Metrics and Queues are mounted at /metrics and /queues; Queues may be nil.
	Metrics, Queues http.Handler
	// Retry makes all of a grant's fulfilments due now.
	Retry func(ctx context.Context, grantID string) error
	// Replay makes an event be applied again, or with an empty id every failed
	// one, and returns how many.
	Replay     func(ctx context.Context, id string) (int64, error)
	Accounts   Accounts
	Approvals  Approvals
	Sessions   Sessions
	Deliveries Deliveries
	Files      *Files // nil: downloads are switched off
	Alarms     func() []alarm.Alarm
	Meters     []grant.Meter // what events may consume
	Log        *slog.Logger  // nil for the default
}

// Admin is the operator's API, in the platform's own shapes, with the queue
// dashboard and the metrics. Health is for anybody; the rest wants the token.
func Admin(o AdminOptions) http.Handler {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a := answers{o.Log}
	mux := http.NewServeMux()
	a.mount(mux, platformRoutes(o.Ledger))
	a.mount(mux, stateRoutes(o.Ledger))
	a.mount(mux, creditRoutes(o.Ledger, o.Meters))
	a.mount(mux, fileRoutes(o.Ledger, o.Files))
	a.mount(mux, sessionRoutes(o.Ledger, o.Sessions))
	a.mount(mux, operatorRoutes(o))
	for _, path := range []string{"/v1/benefits", "/v1/benefit-grants", "/v1/license-keys", "/v1/files", "/v1/customer-meters", "/v1/events", "/v1/customers", "/v1/alarms", "/v1/approvals", "/v1/deliveries", "/queues"} {
		mux.HandleFunc("GET "+path, addSlash)
	}
	mux.Handle("GET /metrics", a.operator(o.Metrics))
	if o.Queues != nil {
		mux.Handle("/queues/", a.operator(o.Queues))
	}
	all := http.NewServeMux()
	o.Files.takeIn(all, a)
	all.Handle("/", http.MaxBytesHandler(Recovered(o.Log, orJSON(a, mux)), maxBody))
	return guard(o, a, all)
}

// mount adds routes to a mux.
func (a answers) mount(mux *http.ServeMux, routes map[string]route) {
	for pattern, to := range routes {
		mux.Handle(pattern, a.allowed(to))
	}
}

// platformRoutes are the platform's own, with its scopes.
func platformRoutes(l AdminLedger) map[string]route {
	benefits := []string{"benefits:read", "benefits:write"}
	customers := []string{"customers:read", "customers:write"}
	all := licenseKeyRoutes(l)
	maps.Copy(all, map[string]route{
		"GET /v1/benefits/{$}":         {benefits, listBenefits(l)},
		"GET /v1/benefits/{id}":        {benefits, getBenefit(l)},
		"GET /v1/benefits/{id}/grants": {benefits, listBenefitGrants(l, l)},
		"GET /v1/benefit-grants/{$}":   {benefits, listGrants(l)},
		"GET /v1/benefit-grants/{id}":  {benefits, getGrant(l)},
		"GET /v1/customers/{$}":        {customers, listCustomers(l)},
		"GET /v1/customers/{id}":       {customers, getCustomer(l)},
	})
	return all
}

// operatorRoutes are ours.
func operatorRoutes(o AdminOptions) map[string]route {
	return map[string]route{
		"POST /v1/benefit-grants/{id}/retry": {nil, retryGrant(o.Ledger, o.Retry)},
		"GET /v1/events/{$}":                 {nil, listEvents(o.Ledger)},
		"GET /v1/events/{id}":                {nil, getEvent(o.Ledger)},
		"POST /v1/events/{id}/replay":        {nil, replayEvent(o.Ledger, o.Replay)},
		"POST /v1/events/replay":             {nil, replayFailed(o.Replay)},
		"POST /v1/customers/{id}/accounts":   {nil, linkAccount(o.Ledger, o.Accounts)},
		"GET /v1/alarms/{$}":                 {nil, listAlarms(o.Alarms)},
		"GET /v1/approvals/{$}":              {nil, listApprovals(o.Approvals)},
		"POST /v1/approvals/{$}":             {nil, approve(o.Approvals)},
		"GET /v1/deliveries/{$}":             {nil, listDeliveries(o.Deliveries)},
		"POST /v1/deliveries/{id}/retry":     {nil, redeliver(o.Deliveries)},
		"POST /v1/deliveries/retry":          {nil, redeliverAll(o.Deliveries)},

		"DELETE /v1/customers/{id}/accounts/{provider}": {nil, unlinkAccount(o.Accounts)},
	}
}

// addSlash sends a reader to the list's canonical address.
func addSlash(w http.ResponseWriter, r *http.Request) {
	to := *r.URL
	to.Scheme, to.Host, to.Path, to.RawPath = "", "", to.Path+"/", ""
	http.Redirect(w, r, to.String(), http.StatusTemporaryRedirect)
}

// orJSON answers in the platform's form where no route fits.
func orJSON(a answers, mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		m := &misfit{ResponseWriter: w}
		h.ServeHTTP(m, r)
		switch m.status {
		case http.StatusNotFound:
			a.fail(w, r, noRoute())
		case http.StatusMethodNotAllowed:
			a.fail(w, r, &apiError{status: m.status, Name: "MethodNotAllowed", Detail: "Method Not Allowed"})
		}
	})
}

// misfit holds back the mux's own text for a request without a route.
type misfit struct {
	http.ResponseWriter
	status int
}

func (m *misfit) held() bool {
	return m.status == http.StatusNotFound || m.status == http.StatusMethodNotAllowed
}

// WriteHeader implements http.ResponseWriter.
func (m *misfit) WriteHeader(status int) {
	m.status = status
	if !m.held() {
		m.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (m *misfit) Write(p []byte) (int, error) {
	if m.held() {
		return len(p), nil
	}
	return m.ResponseWriter.Write(p)
}
