package outbound

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// forbidden are addresses of every range that nobody outside has, in every form.
var forbidden = map[string][]string{
	"loopback":      {"127.0.0.1", "127.255.255.254", "::1"},
	"unspecified":   {"0.0.0.0", "0.1.2.3", "::"},
	"private":       {"10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1"},
	"link-local":    {"169.254.169.254", "fe80::1", "fe80::1%eth0"},
	"cgnat":         {"100.64.0.1", "100.127.255.254"},
	"ietf":          {"192.0.0.1", "192.0.0.170"},
	"benchmark":     {"198.18.0.1", "198.19.255.254"},
	"documentation": {"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"},
	"reserved":      {"240.0.0.1", "255.255.255.255"},
	"multicast":     {"224.0.0.1", "239.1.1.1", "ff02::1"},
	"ula":           {"fc00::1", "fd12:3456::1"},
	"site-local":    {"fec0::1"},
	"mapped":        {"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8"},
	"compatible":    {"::127.0.0.1"},
	"nat64":         {"64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::a00:1"},
	"6to4":          {"2002:7f00:1::", "2002:c0a8:101::1"},
	"teredo":        {"2001:0:0:0:0:0:f5ff:fffe", "2001::80ff:fffe"},
	"discard":       {"100::1"},
}

func TestEveryPrivateFormOfAnAddressIsRefused(t *testing.T) {
	t.Parallel()
	check := guard(nil)
	for form, all := range forbidden {
		for _, a := range all {
			if err := check(t.Context(), network(a), net.JoinHostPort(a, "443"), nil); !errors.Is(err, ErrAddress) || !strings.Contains(err.Error(), "allow_private") {
				t.Errorf("%s %s: %v", form, a, err)
			}
		}
	}
	for _, a := range []string{"8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"} {
		if err := check(t.Context(), network(a), net.JoinHostPort(a, "8443"), nil); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func network(address string) string {
	if strings.Contains(address, ":") {
		return "tcp6"
	}
	return "tcp4"
}

func TestOnlyTheNetworksThatAreAllowedAreLetThrough(t *testing.T) {
	t.Parallel()
	allowed := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		address    string
		tls, plain bool
	}{
		{"10.1.2.3", true, true}, {"fd00::5", true, true},
		{"10.2.0.1", false, false}, {"127.0.0.1", false, false}, {"fe80::1", false, false},
		{"8.8.8.8", true, false}, {"2606:4700::1111", true, false},
	} {
		at := net.JoinHostPort(c.address, "80")
		if err := guard(allowed)(t.Context(), network(c.address), at, nil); (err == nil) != c.tls {
			t.Errorf("%s by https: %v", c.address, err)
		}
		if err := only(allowed)(t.Context(), network(c.address), at, nil); (err == nil) != c.plain {
			t.Errorf("%s by http: %v", c.address, err)
		}
	}
}

// names is a resolver that answers every question with the next of these
// addresses, and the last of them for ever.
func names(t *testing.T, answers ...string) *net.Resolver {
	var asked atomic.Int64
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		t.Cleanup(func() { _ = there.Close() })
		go func() {
			for {
				question, err := framed(there)
				if err != nil {
					return
				}
				var ip netip.Addr
				if aRecord(question) {
					ip = netip.MustParseAddr(answers[min(int(asked.Add(1)), len(answers))-1])
				}
				reply := answer(question, ip)
				_, _ = there.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
			}
		}()
		return here, nil
	}}
}

func framed(c net.Conn) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	text := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(c, text)
	return text, err
}

// asks is where a question ends: behind its name, type and class.
func asks(q []byte) int {
	end := 12
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	return end + 5
}

func aRecord(q []byte) bool { return binary.BigEndian.Uint16(q[asks(q)-4:]) == 1 }

// answer is a reply of RFC 1035, section 4: an address, or none.
func answer(q []byte, ip netip.Addr) []byte {
	reply := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:asks(q)]...)
	if !ip.IsValid() {
		return reply
	}
	reply[7] = 1
	reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the name above, A, IN, no time to live
	return append(reply, ip.AsSlice()...)
}

func TestANameThatTurnsToThisMachineIsNotFollowed(t *testing.T) {
	t.Parallel()
	var reached atomic.Bool
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	t.Cleanup(s.Close)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	resolver := names(t, "8.8.8.8", "127.0.0.1")
	got, err := resolver.LookupNetIP(t.Context(), "ip4", "rebind.example") // whoever looks beforehand sees a public address
	if err != nil || fmt.Sprint(got) != "[8.8.8.8]" {
		t.Fatal(got, err)
	}
	c := New(Options{Resolver: resolver, Roots: pool(s)})
	t.Cleanup(c.Close)
	_, err = c.Post(t.Context(), "https://rebind.example:"+port+"/secret-path", nil, nil)
	if !errors.Is(err, ErrAddress) || !strings.Contains(err.Error(), "rebind.example") || strings.Contains(err.Error(), "secret-path") {
		t.Errorf("error %v", err)
	}
	if reached.Load() {
		t.Error("the server was reached")
	}
}

func TestAnAddressInAURLIsJudgedToo(t *testing.T) {
	t.Parallel()
	c := New(Options{})
	t.Cleanup(c.Close)
	for _, host := range []string{"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "localhost"} {
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := c.Post(ctx, "https://"+host+":9/", nil, nil); !errors.Is(err, ErrAddress) {
			t.Errorf("%s: %v", host, err)
		}
		cancel()
	}
}
