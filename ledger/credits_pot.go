package ledger

import (
	"errors"

	"github.com/google/uuid"

	"fulfilld/grant"
)

// pot is a customer's meter while something is put in or taken out: the entries
// that have something left, in the order in which they are used, and the entries
// to be written. Until [pot.write] nothing is.
type pot struct {
	tx                  *tx
	id, customer, meter string
	seq                 int64 // 0: it is not there yet
	credited, consumed  int64
	left                []left
	entries             []entry
}

// left is an entry that has something left.
type left struct {
	id, remaining int64
	fulfilment    string
	touched       bool
}

// entry is a row of credit_entries to be written.
type entry struct {
	kind                     grant.EntryKind
	fulfilment, member, key  string
	units, remaining, source int64
	lasts                    int64 // microseconds
	occurred                 int64
	ended                    int64 // of a grant and a revocation: when the life before, or this one, ended
}

// customerMeters is the namespace in which a customer and a meter name their row.
var customerMeters = uuid.MustParse("d1a0e2f4-3c55-5b0e-9d0b-7f0c5f0a86d3")

func customerMeterID(customer, meter string) string {
	return uuid.NewSHA1(customerMeters, []byte(customer+"/"+meter)).String()
}

// pot opens a customer's meter and keeps others from it until the write is
// through. One that is not there is empty.
func (t *tx) pot(customer, meter string) (*pot, error) {
	p := &pot{tx: t, id: customerMeterID(customer, meter), customer: customer, meter: meter}
	err := t.row(`SELECT seq, credited, consumed FROM customer_meters WHERE id = $1 {{lock}}`, []any{p.id}, &p.seq, &p.credited, &p.consumed)
	if errors.Is(err, ErrNotFound) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	return p, p.open()
}

// open reads what is left, soonest expiry first and then oldest first. What has
// expired lapses.
func (p *pot) open() error {
	s, err := p.tx.stmt(`SELECT id, remaining, fulfilment_id, CASE WHEN expires_at > 0 AND expires_at <= {{now}} THEN 1 ELSE 0 END
		FROM credit_entries WHERE customer_meter = $1 AND remaining > 0
		ORDER BY CASE WHEN expires_at = 0 THEN 1 ELSE 0 END, expires_at, id`)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(p.tx.ctx, p.seq)
	if err != nil {
		return err
	}
	_, err = collect(rows, func(r rowScanner) (struct{}, error) {
		var l left
		var expired int64
		err := r.Scan(&l.id, &l.remaining, &l.fulfilment, &expired)
		p.left = append(p.left, l)
		if expired > 0 {
			p.drop(&p.left[len(p.left)-1], entry{kind: grant.EntryLapse})
		}
		return struct{}{}, err
	})
	return err
}

// there is what is left in all.
func (p *pot) there() (n int64) {
	for _, l := range p.left {
		n += l.remaining
	}
	return n
}

func (p *pot) balance() int64 { return p.credited - p.consumed }

// drop takes what is left of an entry away, and says why.
func (p *pot) drop(l *left, why entry) {
	why.fulfilment, why.units, why.source = l.fulfilment, -l.remaining, l.id
	p.entries = append(p.entries, why)
	p.credited -= l.remaining
	l.remaining, l.touched = 0, true
}

// dropOf takes away what is left of a fulfilment's entries, and returns how much
// that was.
func (p *pot) dropOf(fulfilment string, why entry) (n int64) {
	for i := range p.left {
		if l := &p.left[i]; l.fulfilment == fulfilment && l.remaining > 0 {
			n += l.remaining
			p.drop(l, why)
		}
	}
	return n
}

// put adds units. What is overdrawn is paid first: that does not remain.
func (p *pot) put(c grant.Credit, e entry) {
	overdrawn := p.there() - p.balance()
	p.credited += c.Units
	e.fulfilment, e.member, e.units, e.lasts = c.FulfilmentID, c.MemberID, c.Units, c.Lasts.Microseconds()
	e.remaining = c.Units - min(c.Units, overdrawn)
	p.entries = append(p.entries, e)
}

// take consumes units, and reports whether there are as many. What is not there
// may be overdrawn; then it comes from no entry. The key stands in the first of
// the entries that it makes.
func (p *pot) take(units int64, overdraft bool, e entry) bool {
	if units > 0 && units > min(p.there(), p.balance()) && !overdraft {
		return false
	}
	e.kind = grant.EntryConsume
	p.consumed += units
	for i := range p.left {
		l := &p.left[i]
		if n := min(units, l.remaining); n > 0 {
			l.remaining, l.touched, units = l.remaining-n, true, units-n
			e.units, e.source = -n, l.id
			p.entries = append(p.entries, e)
			e.key = ""
		}
	}
	if units > 0 || e.source == 0 {
		e.units, e.source = -units, 0
		p.entries = append(p.entries, e)
	}
	return true
}

// write writes what has changed, and makes the meter where it is not there.
func (p *pot) write() error {
	if len(p.entries) == 0 {
		return nil
	}
	if err := p.make(); err != nil {
		return err
	}
	var credited, consumed int64
	for _, e := range p.entries {
		if e.kind == grant.EntryConsume {
			consumed -= e.units
		} else {
			credited += e.units
		}
		if _, err := p.tx.exec(`INSERT INTO credit_entries (customer_meter, member_id, fulfilment_id, kind, units, remaining, source, entry_key,
				expires_at, occurred_at, created_at, ended_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN CAST($9 AS BIGINT) = 0 THEN 0 ELSE {{now}} + $9 END, CASE WHEN CAST($10 AS BIGINT) = 0 THEN {{now}} ELSE $10 END, {{now}}, $11)`,
			p.seq, e.member, e.fulfilment, string(e.kind), e.units, e.remaining, e.source, e.key, e.lasts, e.occurred, e.ended); err != nil {
			return err
		}
	}
	for _, l := range p.left {
		if l.touched {
			if _, err := p.tx.exec(`UPDATE credit_entries SET remaining = $2 WHERE id = $1`, l.id, l.remaining); err != nil {
				return err
			}
		}
	}
	_, err := p.tx.exec(`UPDATE customer_meters SET credited = credited + $2, consumed = consumed + $3, modified_at = {{now}} WHERE seq = $1`, p.seq, credited, consumed)
	return err
}

// make makes the meter. Another daemon may have done so meanwhile, and put
// something in: that is why [pot.write] adds to it, and [pot.take] looks at both
// what is left and the balance.
func (p *pot) make() error {
	if p.seq != 0 {
		return nil
	}
	if _, err := p.tx.exec(`INSERT INTO customer_meters (id, customer_id, meter_id, credited, consumed, created_at, modified_at)
		VALUES ($1, $2, $3, 0, 0, {{now}}, 0) ON CONFLICT (id) DO NOTHING`, p.id, p.customer, p.meter); err != nil {
		return err
	}
	return p.tx.row(`SELECT seq FROM customer_meters WHERE id = $1 {{lock}}`, []any{p.id}, &p.seq)
}
