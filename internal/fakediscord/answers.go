package fakediscord

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
)

// answer is a response not yet sent. A body that is a string goes out as it is,
// with the Content-Type in the header; any other is JSON; nil is none.
type answer struct {
	status int
	header http.Header
	body   any
}

var noContent = answer{status: http.StatusNoContent}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

func created(body any) answer { return answer{status: http.StatusCreated, body: body} }

func failed(err error) answer {
	var e *Error
	if !errors.As(err, &e) {
		e = statusError(http.StatusInternalServerError)
	}
	body := object{"message": e.Message, "code": e.Code}
	if e.field != nil {
		body["errors"] = e.field
	}
	return answer{status: e.Status, body: body}
}

func (a answer) write(w http.ResponseWriter) {
	a.begin(w, a.text())
}

// half sends half a body and then ends the connection. Where there is no body
// nothing at all is sent.
func (a answer) half(w http.ResponseWriter) {
	text := a.text()
	if len(text) > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		a.begin(w, text[:len(text)/2])
		_ = http.NewResponseController(w).Flush() // it ends here in any case
	}
	panic(http.ErrAbortHandler)
}

func (a answer) begin(w http.ResponseWriter, text []byte) {
	if len(text) > 0 {
		w.Header().Set("Content-Type", "application/json")
	}
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	w.Write(text)
}

func (a answer) text() []byte {
	switch body := a.body.(type) {
	case nil:
		return nil
	case string:
		return []byte(body)
	}
	text, err := json.Marshal(a.body)
	if err != nil {
		panic(err) // bodies are maps of plain values
	}
	return text
}
