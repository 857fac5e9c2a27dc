package handlers

import (
	"context"

	"fulfilld/grant"
)

// holdItem is what a fulfilment holds at a provider.
type holdItem struct {
	Provider  string       `json:"provider"`
	Resource  string       `json:"resource"`
	AccountID string       `json:"account_id"`
	Level     int          `json:"level"`  // what this fulfilment holds
	Others    int          `json:"others"` // the highest that others hold
	Origin    grant.Origin `json:"origin"`
	Before    int          `json:"before"` // what was there before, and stays
}

// wholeGrant is one grant with its journal and what it holds.
func wholeGrant(ctx context.Context, l GrantList, id string) (any, error) {
	v, err := l.Grant(ctx, id)
	if err != nil {
		return nil, err
	}
	item := grantOf(v)
	for i := range item.Fulfilments {
		f := &item.Fulfilments[i]
		holds, err := l.HoldsOf(ctx, f.ID)
		if err != nil {
			return nil, err
		}
		for _, h := range holds {
			f.Holds = append(f.Holds, holdItem{h.Provider, h.Name, h.Account, h.Level, h.Others, h.Origin, h.Before})
		}
	}
	return item, nil
}
