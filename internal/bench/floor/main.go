// Command floor is what fulfilld is measured against: it verifies a webhook and
// queues it, and a worker takes it off the queue and does nothing. It has no
// memory, so a Redis that is emptied takes what was accepted with it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	goredis "github.com/redis/go-redis/v9"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// seen is when each task was worked, and how long after it was sent, in microseconds.
type seen struct {
	sync.Mutex
	last  int64
	waits []int64
}

func main() {
	hook, err := standardwebhooks.NewWebhook(os.Getenv("FLOOR_SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	redis := asynq.RedisClientOpt{Addr: os.Getenv("FLOOR_REDIS"), PoolSize: 64}
	client, worked := asynq.NewClient(redis), &seen{}
	server := asynq.NewServer(redis, asynq.Config{Concurrency: 16, TaskCheckInterval: 10 * time.Millisecond, LogLevel: asynq.WarnLevel})
	if err := server.Start(asynq.HandlerFunc(worked.work)); err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("POST /webhooks/polar", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || hook.Verify(body, r.Header) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, err = client.Enqueue(asynq.NewTask("webhook", body), asynq.TaskID(r.Header.Get("webhook-id")))
		if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	http.HandleFunc("POST /v1/events/ingest", counter{goredis.NewClient(&goredis.Options{Addr: redis.Addr, PoolSize: 64})}.ingest)
	http.HandleFunc("GET /count", worked.count)
	http.HandleFunc("GET /waits", worked.list)
	log.Fatal((&http.Server{Addr: os.Getenv("FLOOR_LISTEN"), ReadHeaderTimeout: 5 * time.Second}).ListenAndServe())
}

// counter is what stands in for credits: a number for each customer.
type counter struct{ *goredis.Client }

func (c counter) ingest(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Events []struct {
			Customer string `json:"customer_id"`
			ID       string `json:"external_id"`
		}
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	if err == nil {
		_, err = c.Pipelined(r.Context(), func(p goredis.Pipeliner) error {
			for _, e := range body.Events {
				p.SetNX(r.Context(), "event:"+e.ID, 1, 0)
				p.Decr(r.Context(), "units:"+e.Customer)
			}
			return nil
		})
	}
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, `{"inserted":%d}`, len(body.Events))
}

func (s *seen) work(_ context.Context, t *asynq.Task) error {
	now := time.Now()
	_, rest, _ := bytes.Cut(t.Payload(), []byte(`"timestamp":"`))
	sent, err := time.Parse(time.RFC3339Nano, string(rest[:min(27, len(rest))]))
	s.Lock()
	defer s.Unlock()
	s.last, s.waits = now.UnixMicro(), append(s.waits, now.Sub(sent).Microseconds())
	return err
}

func (s *seen) count(w http.ResponseWriter, _ *http.Request) {
	s.Lock()
	defer s.Unlock()
	fmt.Fprintln(w, len(s.waits), s.last)
}

// list says all the waits and forgets them.
func (s *seen) list(w http.ResponseWriter, _ *http.Request) {
	s.Lock()
	defer s.Unlock()
	for _, us := range s.waits {
		fmt.Fprintln(w, us)
	}
	s.waits = nil
}
