package ledger

import (
	"slices"

	"github.com/google/uuid"

	"fulfilld/grant"
)

// pot is a customer's meter while something is put in or taken out: the entries
// that have something left, in the order in which they are used, and the entries
// to be written. Until [tx.writePots] nothing is.
type pot struct {
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

// copy is a pot that does not change with this one.
func (p *pot) copy() pot {
	c := *p
	c.left, c.entries = slices.Clone(p.left), slices.Clip(p.entries)
	return c
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
