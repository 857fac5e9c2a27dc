package handlers

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"fulfilld/grant"
)

const (
	maxEvents  = 1000 // of one request
	maxEventID = 255  // characters, as an index takes them
)

// ingested is the platform's EventsIngestResponse. Unmetered are the events that
// no meter counts: nothing is kept of them.
type ingested struct {
	Inserted   int `json:"inserted"`
	Duplicates int `json:"duplicates"`
	Unmetered  int `json:"unmetered"`
}

// eventError is a fieldError in a list of events, whose place has a number.
type eventError struct {
	Type    string         `json:"type"`
	Loc     []any          `json:"loc"`
	Msg     string         `json:"msg"`
	Input   any            `json:"input"`
	Context map[string]any `json:"ctx,omitempty"`
}

// ingest records what events consume: all of them, or none where one is refused.
func ingest(l CreditLedger, known meters) endpoint {
	return func(r *http.Request) (any, error) {
		if len(known) == 0 {
			return nil, &apiError{status: http.StatusNotFound, Name: "ResourceNotFound",
				Detail: "No meter is set up here that events could consume; add fulfillers.meter_credit.meters to the config."}
		}
		f, err := formOf(r)
		if err != nil {
			return nil, err
		}
		b, err := known.batch(f)
		if err != nil {
			return nil, err
		}
		out := ingested{Unmetered: b.unmetered}
		if len(b.events) == 0 {
			return out, nil
		}
		did, err := l.Consume(r.Context(), b.events)
		if err == nil && did.Refused != nil {
			err = b.refusal(*did.Refused, known)
		}
		out.Inserted, out.Duplicates = did.Inserted, did.Duplicates
		return out, err
	}
}

// batch is a request's events that some meter counts.
type batch struct {
	events    []grant.Usage
	places    []int // of each, in the request
	unmetered int
	wrong     []eventError
}

// batch reads a request's events, and names everything that is wrong with them.
func (all meters) batch(f *form) (*batch, error) {
	f.require("events")
	raw, _ := field[[]json.RawMessage](f, "events", "list_type", "Input should be a valid list")
	if len(raw) > maxEvents {
		f.refuse("events", "too_long", "List should have at most "+strconv.Itoa(maxEvents)+" items after validation, not "+strconv.Itoa(len(raw)),
			strconv.Itoa(len(raw))+" items", map[string]any{"field_type": "List", "max_length": maxEvents, "actual_length": len(raw)})
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	b := &batch{}
	for i, text := range raw {
		b.read(i, text, all)
	}
	if len(b.wrong) > 0 {
		return nil, &apiError{status: http.StatusUnprocessableEntity, Name: "RequestValidationError", Detail: b.wrong}
	}
	return b, nil
}

func (b *batch) refuse(i int, typ, msg string, input any, context map[string]any, at ...any) {
	b.wrong = append(b.wrong, eventError{typ, append([]any{"body", "events", i}, at...), msg, input, context})
}

// read reads one event, and finds the meters that count it.
func (b *batch) read(i int, text json.RawMessage, all meters) {
	f := &form{raw: text}
	if !f.read() {
		b.refuse(i, "model_attributes_type", "Input should be a valid dictionary or object to extract fields from", f.whole(), nil)
		return
	}
	name, u := usageOf(f)
	metadata, _ := optional[map[string]any](f, "metadata", "dict_type", "Input should be a valid dictionary")
	for _, w := range f.wrong {
		b.refuse(i, w.Type, w.Msg, w.Input, w.Context, w.Loc[len(w.Loc)-1])
	}
	for _, m := range all {
		if m.Event == name {
			u.Draws = append(u.Draws, grant.Draw{MeterID: m.ID, Units: b.units(i, m, metadata), Overdraft: m.Overdraft})
		}
	}
	if len(u.Draws) == 0 {
		b.unmetered++
		return
	}
	b.events, b.places = append(b.events, u), append(b.places, i)
}

// usageOf reads the fields of an event that we have a use for.
func usageOf(f *form) (name string, u grant.Usage) {
	f.require("name")
	if !f.has("external_customer_id") {
		f.require("customer_id")
	}
	name = f.text("name")
	u.CustomerID, u.At = f.id("customer_id", f.has("external_customer_id")), f.moment("timestamp")
	if f.has("external_customer_id") {
		u.ExternalCustomerID = f.text("external_customer_id")
	}
	if f.has("external_id") {
		u.EventID = f.text("external_id")
	}
	if n := len([]rune(u.EventID)); n > maxEventID {
		f.refuse("external_id", "string_too_long", "String should have at most "+strconv.Itoa(maxEventID)+" characters", u.EventID, map[string]any{"max_length": maxEventID})
	}
	return name, u
}

// units is how many of a meter an event takes.
func (b *batch) units(i int, m grant.Meter, metadata map[string]any) int64 {
	if m.Units == "" {
		return 1
	}
	input, ok := metadata[m.Units]
	n, isNumber := input.(float64)
	switch {
	case !ok:
		b.refuse(i, "missing", fmt.Sprintf("Field required: the meter %q counts it", m.Name), metadata, nil, "metadata", m.Units)
	case !isNumber || n != math.Trunc(n) || n < 0 || n > grant.MaxUnits:
		b.refuse(i, "int_type", fmt.Sprintf("Input should be a whole number of 0 to %d: the meter %q counts it", grant.MaxUnits, m.Name), input, nil, "metadata", m.Units)
	}
	return int64(n)
}

// refusal says which events cannot be recorded, and why. What is not there is
// asked for with 402: no program tries that again by itself.
func (b *batch) refusal(s grant.Shortage, known meters) error {
	if len(s.Strangers) > 0 {
		return b.strangers(s.Strangers)
	}
	name := known.of(s.MeterID).Name
	b.refuse(b.places[s.Index], "insufficient_credits", fmt.Sprintf("The meter %q has a balance of %d and the event takes %d; nothing of the request was recorded. Add credits, or set overdraft: allow.", name, s.Balance, s.Units),
		s.Units, map[string]any{"meter_id": s.MeterID, "meter": name, "balance": s.Balance, "units": s.Units})
	return &apiError{status: http.StatusPaymentRequired, Name: "InsufficientCredits", Detail: b.wrong}
}

// strangers names the events whose customers are not known.
func (b *batch) strangers(all []int) error {
	for _, i := range all {
		field, input := "customer_id", b.events[i].CustomerID
		if input == "" {
			field, input = "external_customer_id", b.events[i].ExternalCustomerID
		}
		b.refuse(b.places[i], "value_error", "Customer does not exist.", input, nil, field)
	}
	return &apiError{status: http.StatusUnprocessableEntity, Name: "RequestValidationError", Detail: b.wrong}
}
