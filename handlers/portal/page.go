package portal

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
)

var (
	//go:embed page.css
	styles string
	//go:embed page.js
	script string // copies a key; without it the page does all else
	//go:embed page.html
	markup string

	pages = template.Must(template.New("page").Funcs(template.FuncMap{
		"styles": func() template.CSS { return template.CSS(styles) },
		"script": func() template.JS { return template.JS(script) },
		"size":   size,
	}).Parse(markup))

	// policy lets nothing in but the page's own style and script.
	policy = "default-src 'none'; style-src '" + digest(styles) + "'; script-src '" + digest(script) +
		"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// message is a page that says one thing.
type message struct{ Title, Text string }

func (s *site) say(w http.ResponseWriter, status int, m message) { s.render(w, status, "message", m) }

// frame is what every page has around it.
type frame struct {
	Shop, Support string
	Body          any
}

func (s *site) render(w http.ResponseWriter, status int, name string, body any) {
	var text bytes.Buffer
	if err := pages.ExecuteTemplate(&text, name, frame{s.Name, s.Support, body}); err != nil {
		s.Log.Error("customer page", slog.Any("err", err))
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(text.Bytes())
}

// size is how large a file is, for people.
func size(bytes int64) string {
	const unit = 1000
	if bytes < unit {
		return fmt.Sprintf("%d B", bytes)
	}
	n, i := float64(bytes)/unit, 0
	for ; n >= unit && i < 3; i++ {
		n /= unit
	}
	return fmt.Sprintf("%.1f %cB", n, "kMGT"[i])
}
