// Command bare is what the license-key API is measured against: it reads a request
// and answers the same bytes whatever was asked.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	text, err := os.ReadFile(os.Getenv("BARE_ANSWER"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("POST /v1/license-keys/validate", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // the load sees what is missing
	})
	log.Fatal((&http.Server{Addr: os.Getenv("BARE_LISTEN"), ReadHeaderTimeout: 5 * time.Second}).ListenAndServe())
}
