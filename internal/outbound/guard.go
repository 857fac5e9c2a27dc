package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"code.dny.dev/ssrf"
)

// ErrAddress says that a name leads to an address that may not be reached.
var ErrAddress = errors.New("not a public address")

// control is asked before each connection, with the address that it goes to.
type control = func(ctx context.Context, network, address string, c syscall.RawConn) error

// guard lets through to public addresses, and to those that are allowed.
func guard(allowed []netip.Prefix) control {
	var v4, v6 []netip.Prefix
	for _, p := range allowed {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	g := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	return func(_ context.Context, network, address string, c syscall.RawConn) error {
		if err := g.Safe(network, address, c); err != nil {
			return refused(address)
		}
		return nil
	}
}

// only lets through to what is allowed.
func only(allowed []netip.Prefix) control {
	return func(_ context.Context, _, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !slices.ContainsFunc(allowed, func(p netip.Prefix) bool { return p.Contains(at.Addr()) }) {
			return fmt.Errorf("%w, by plain http; write https", refused(address))
		}
		return nil
	}
}

func refused(address string) error {
	return fmt.Errorf("%w: %s; if it is meant, name its network in allow_private", ErrAddress, address)
}
