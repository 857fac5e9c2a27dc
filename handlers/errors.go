package handlers

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"fulfilld/grant"
)

// answerWithin bounds what one request may ask of the ledger.
const answerWithin = 20 * time.Second

// apiError is an answer other than the one asked for, in the platform's form.
// Error and Detail are public; the cause is for the log.
type apiError struct {
	status      int
	Name        string `json:"error,omitempty"`
	Detail      any    `json:"detail,omitempty"`            // a sentence, or a list of fieldError
	Description string `json:"error_description,omitempty"` // instead of it, where a token is refused
	header      map[string]string
	cause       error
}

// Error implements error.
func (e *apiError) Error() string {
	if e.cause != nil {
		return e.Name + ": " + e.cause.Error()
	}
	return e.Name
}

// Unwrap returns the cause.
func (e *apiError) Unwrap() error { return e.cause }

// fieldError is what is wrong with one field of a request.
type fieldError struct {
	Type    string         `json:"type"`
	Loc     []string       `json:"loc"` // "query", "path" or "body", and the field
	Msg     string         `json:"msg"`
	Input   any            `json:"input"`
	Context map[string]any `json:"ctx,omitempty"`
}

func invalid(fields ...fieldError) *apiError {
	return &apiError{status: http.StatusUnprocessableEntity, Name: "RequestValidationError", Detail: fields}
}

func notFound() *apiError {
	return &apiError{status: http.StatusNotFound, Name: "ResourceNotFound", Detail: "Not found"}
}

// noRoute is for an address that is nobody's.
func noRoute() *apiError { return &apiError{status: http.StatusNotFound, Detail: "Not Found"} }

// publicError turns whatever went wrong into what may be told about it.
func publicError(err error) *apiError {
	var known *apiError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, grant.ErrNotFound):
		return notFound()
	}
	return &apiError{status: http.StatusInternalServerError, Name: "InternalServerError", Detail: "Internal Server Error", cause: err}
}

// endpoint answers a request with a value, to be written as JSON, or an error.
type endpoint func(r *http.Request) (any, error)

// answer is an endpoint's value with more than that to say.
type answer struct {
	status int // 0: 200
	header map[string]string
	body   any // nil: none
}

func (a answer) write(w http.ResponseWriter) error {
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return nil
	}
	return writeJSON(w, cmp.Or(a.status, http.StatusOK), a.body)
}

// answers makes handlers of endpoints.
type answers struct{ log *slog.Logger }

// by is the one place where an endpoint's answer is written and its failure logged.
func (a answers) by(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
		defer cancel()
		v, err := e(r.WithContext(ctx))
		if err == nil {
			more, ok := v.(answer)
			if !ok {
				more.body = v
			}
			err = more.write(w)
		}
		if err != nil && r.Context().Err() == nil { // else nobody is left to tell
			a.fail(w, r, err)
		}
	})
}

func (a answers) fail(w http.ResponseWriter, r *http.Request, err error) {
	public := publicError(err)
	if public.status >= http.StatusInternalServerError {
		a.log.LogAttrs(r.Context(), slog.LevelError, "request failed",
			slog.String("method", r.Method), slog.String("route", r.Pattern), slog.Any("err", err))
	}
	h := w.Header()
	for name, value := range public.header {
		h.Add(name, value)
	}
	if h.Get(licenseCode) == "" && aboutKeys(r) {
		h.Set(licenseCode, codeOf(public))
	}
	if err := writeJSON(w, public.status, public); err != nil {
		a.log.LogAttrs(r.Context(), slog.LevelError, "a refusal cannot be spelled", slog.String("route", r.Pattern), slog.Any("err", err))
		w.WriteHeader(public.status) // or it would be a yes
	}
}

// writeJSON writes v; what cannot be spelled is returned before anything is written.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // the platform does not
	if err := enc.Encode(v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(text.Len())) // or an answer of more than 2 KB goes in chunks
	w.WriteHeader(status)
	w.Write(text.Bytes())
	return nil
}
