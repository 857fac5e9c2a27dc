package fulfillers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// guestList is the smallest possible fulfiller: who is on it may come in.
type guestList struct{ guests sync.Map }

func (l *guestList) Check(params json.RawMessage) error {
	var p struct{ Door string }
	if json.Unmarshal(params, &p) != nil || p.Door == "" {
		return errors.New(`door: must name a door, for example "front"`)
	}
	return nil
}

func (l *guestList) Grant(ctx context.Context, f grant.Fulfilment) (grant.Properties, error) {
	if err := ctx.Err(); err != nil {
		return nil, fulfillers.Transient("cancelled", err)
	}
	l.guests.Store(f.ID, f.Grant.CustomerID) // once more changes nothing
	return grant.Properties{"guest": f.Grant.CustomerID}, nil
}

func (l *guestList) Revoke(ctx context.Context, f grant.Fulfilment) error {
	if err := ctx.Err(); err != nil {
		return fulfillers.Transient("cancelled", err)
	}
	l.guests.Delete(f.ID) // gone already is gone
	return nil
}

func Example() {
	var f fulfillers.Fulfiller = new(guestList)
	ada := grant.Fulfilment{ID: "g1.guest_list", Grant: grant.Grant{CustomerID: "ada"}}

	fmt.Println(f.Check(json.RawMessage(`{}`)))
	fmt.Println(f.Grant(context.Background(), ada))
	fmt.Println(f.Revoke(context.Background(), ada))
	// Output:
	// door: must name a door, for example "front"
	// map[guest:ada] <nil>
	// <nil>
}
