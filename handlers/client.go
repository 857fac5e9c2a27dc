package handlers

import (
	"cmp"
	"errors"
	"hash/maphash"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"fulfilld/grant"
	"fulfilld/internal/throttle"
)

// ClientLimits bound what one client may ask without a token.
type ClientLimits struct {
	Rate    int           // requests a second about one key; 0: 3
	Guesses int           // requests a second about keys that there are not; 0: 50
	Block   time.Duration // how long who asks more is refused; 0: a minute
	Clients int           // how many are remembered; 0: 100,000

	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed

	// Unproxied is told, once, of a neighbour that speaks for others and is not
	// trusted: all its clients are taken for one.
	Unproxied func(netip.Addr)

	Now func() time.Time // nil for the clock
}

// clients are limited by address and key, and by address where they guess.
type clients struct {
	trusted   []netip.Prefix
	unproxied func(netip.Addr)
	once      sync.Once
	seed      maphash.Seed
	asking    *throttle.Gate[uint64] // by a hash of address and key
	guessing  *throttle.Gate[netip.Addr]
}

func newClients(l ClientLimits) *clients {
	if l.Now == nil {
		l.Now = time.Now
	}
	of := func(rate int) throttle.Limits {
		return throttle.Limits{Rate: rate, Block: cmp.Or(l.Block, time.Minute), Guests: cmp.Or(l.Clients, 100_000)}
	}
	return &clients{
		trusted: l.TrustedProxies, unproxied: l.Unproxied, seed: maphash.MakeSeed(),
		asking:   throttle.New[uint64](of(cmp.Or(l.Rate, 3)), l.Now),
		guessing: throttle.New[netip.Addr](of(cmp.Or(l.Guesses, 50)), l.Now),
	}
}

// shutOut refuses a client that has guessed too much, before anything of theirs is
// read. Nil clients have tokens, and no limits.
func (c *clients) shutOut(r *http.Request) error {
	if c == nil {
		return nil
	}
	return tooMany(c.guessing.Out(c.address(r)))
}

// admit does what a client asks about a key, unless they ask too much.
func (c *clients) admit(r *http.Request, key string, do func() (any, error)) (any, error) {
	if c == nil {
		return do()
	}
	who := c.address(r)
	about := maphash.Comparable(c.seed, struct {
		who netip.Addr
		key string
	}{who, key})
	if err := tooMany(c.asking.Enter(about)); err != nil {
		return nil, err
	}
	v, err := do()
	var refusal *grant.KeyRefusal
	if errors.As(err, &refusal) && refusal.Code == grant.KeyNotFound {
		c.guessing.Enter(who)
	}
	return v, err
}

// tooMany is the answer to who must wait; nil for no wait.
func tooMany(wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	e := &apiError{status: http.StatusTooManyRequests, Name: "TooManyRequests", Detail: "Too many requests. Try again later."}
	e.header = map[string]string{"Retry-After": strconv.Itoa(int(math.Ceil(wait.Seconds())))}
	return withCode(e, rateLimited)
}

// address is where a request comes from: of IPv6 the network, for that is what one
// client has.
func (c *clients) address(r *http.Request) netip.Addr {
	a := c.origin(r)
	if a.Is6() {
		return netip.PrefixFrom(a, 64).Masked().Addr()
	}
	return a
}

// origin is the nearest address that no trusted proxy has: what stands left of it
// anybody may have written.
func (c *clients) origin(r *http.Request) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // net/http's own
	at := plainAddr(peer.Addr())
	said := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
	if said != "" && !c.trusts(at) {
		c.neighbour(at)
	}
	for said != "" && c.trusts(at) {
		i := strings.LastIndexByte(said, ',')
		next, ok := parseAddr(said[i+1:])
		if !ok {
			break
		}
		at, said = next, said[:max(i, 0)]
	}
	return at
}

func (c *clients) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(c.trusted, func(p netip.Prefix) bool { return p.Contains(a) })
}

func (c *clients) neighbour(a netip.Addr) {
	if c.unproxied != nil && (a.IsLoopback() || a.IsPrivate()) {
		c.once.Do(func() { c.unproxied(a) })
	}
}

// parseAddr reads an address as proxies write it, some with a port.
func parseAddr(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if a, err := netip.ParseAddrPort(text); err == nil {
		return plainAddr(a.Addr()), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return plainAddr(a), err == nil
}

// plainAddr has one spelling for each address.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
