package handlers

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
)

// Recovered answers 500 where next panics, and logs it with the route. What was
// sent is not logged: the stack has the places, and a panic's own text is left
// out unless the runtime wrote it.
func Recovered(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler: // net/http's own way to cut a response off
				panic(v)
			default:
				log.LogAttrs(r.Context(), slog.LevelError, "a handler panicked", slog.String("method", r.Method),
					slog.String("route", r.Pattern), slog.String("panic", panicText(v)), slog.String("stack", string(debug.Stack())))
				public := publicError(nil)
				_ = writeJSON(w, public.status, public) // strings and numbers
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func panicText(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", v)
}
