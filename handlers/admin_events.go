package handlers

import (
	"context"
	"encoding/json"
	"net/http"

	"fulfilld/grant"
)

// EventList is where events are looked up.
type EventList interface {
	Events(ctx context.Context, f grant.EventFilter, p grant.Page) ([]grant.Event, int64, error)
	Event(ctx context.Context, id string) (grant.Event, error)
}

func listEvents(l EventList) endpoint {
	return func(r *http.Request) (any, error) {
		q := queryOf(r)
		f := grant.EventFilter{
			States: words(q, "state", grant.EventAccepted, grant.EventApplied, grant.EventIgnored, grant.EventFailed),
			Types:  q.texts("type"),
		}
		p := q.page()
		if err := q.err(); err != nil {
			return nil, err
		}
		all, total, err := l.Events(r.Context(), f, p)
		return listingOf(all, total, p, eventOf), err
	}
}

func getEvent(l EventList) endpoint {
	return func(r *http.Request) (any, error) {
		ev, err := eventByPath(r, l)
		if err != nil {
			return nil, err
		}
		whole := eventWithBody{eventItem: eventOf(ev), Body: json.RawMessage("null")}
		switch {
		case json.Valid(ev.Body):
			whole.Body = ev.Body
		case len(ev.Body) > 0:
			whole.Body, err = json.Marshal(string(ev.Body))
		}
		return whole, err
	}
}

// eventByPath finds the event; its id is whatever the sender chose.
func eventByPath(r *http.Request, l EventList) (grant.Event, error) {
	id := r.PathValue("id")
	if !isText(id) {
		return grant.Event{}, notFound()
	}
	return l.Event(r.Context(), id)
}

// eventItem is an event; its id is the webhook-id.
type eventItem struct {
	ID         string           `json:"id"`
	Source     string           `json:"source"`
	Type       string           `json:"type"`
	OccurredAt stamp            `json:"occurred_at"`
	ReceivedAt stamp            `json:"received_at"`
	State      grant.EventState `json:"state"`
	Error      text             `json:"error"` // why it failed or has no effect
}

type eventWithBody struct {
	eventItem
	Body json.RawMessage `json:"body"` // null once past retention
}

func eventOf(ev grant.Event) eventItem {
	return eventItem{ev.ID, ev.Source, ev.Type, stamp(ev.OccurredAt), stamp(ev.ReceivedAt), ev.State, text(ev.Error)}
}

// replayed says how many events will be applied again.
type replayed struct {
	Replayed int64 `json:"replayed"`
}

func replayEvent(l EventList, replay func(context.Context, string) (int64, error)) endpoint {
	return func(r *http.Request) (any, error) {
		ev, err := eventByPath(r, l)
		if err != nil {
			return nil, err
		}
		n, err := replay(r.Context(), ev.ID)
		if err == nil && n == 0 {
			err = &apiError{status: http.StatusConflict, Name: "NotReplayable", Detail: "The event's body is past retention."}
		}
		return replayed{n}, err
	}
}

func replayFailed(replay func(context.Context, string) (int64, error)) endpoint {
	return func(r *http.Request) (any, error) {
		n, err := replay(r.Context(), "")
		return replayed{n}, err
	}
}
