package ledger

import (
	"fmt"
	"sync/atomic"
	"testing"

	"fulfilld/grant"
)

// BenchmarkAccept is intake as it is in earnest: 32 callers, bodies of a usual
// size, each answered after the fsync.
func BenchmarkAccept(b *testing.B) {
	s := open(b, sqliteURL(b), Options{})
	body := make([]byte, 2300)
	var next atomic.Int64
	b.SetParallelism(32) // for each processor; the slots make it 32 in all
	b.SetBytes(int64(len(body)))
	slots := make(chan struct{}, 32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			slots <- struct{}{}
			ev := event(fmt.Sprint("msg_", next.Add(1)))
			ev.Body = body
			if _, err := s.Accept(b.Context(), ev); err != nil {
				b.Error(err)
			}
			<-slots
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkApply applies grants in batches of 32, each with its customer.
func BenchmarkApply(b *testing.B) {
	s := open(b, sqliteURL(b), Options{})
	s.hear(news(benefit(1)))
	const batch = 32
	var all []grant.Decoded
	for i := range b.N * batch {
		ev := event(fmt.Sprint("bench_", i))
		ev.Seq = int64(i + 2)
		g := granted(fmt.Sprint("g", i), 1)
		g.CustomerID = fmt.Sprint("c", i)
		all = append(all, grant.Decoded{Event: ev, News: news(g, grant.Customer{ID: g.CustomerID, Version: version(1)})})
	}
	s.exec(`INSERT INTO events (seq, source, webhook_id, type, occurred_at, received_at, state, daemon, sha256)
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
		SELECT i + 2, 'polar', 'bench_' || i, 't', 0, 0, 'accepted', '', '' FROM n`, len(all))
	b.ResetTimer()
	for i := range b.N {
		due, err := s.Apply(b.Context(), all[i*batch:(i+1)*batch])
		if err != nil || len(due) != batch {
			b.Fatal(len(due), err)
		}
	}
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "events/s")
}
