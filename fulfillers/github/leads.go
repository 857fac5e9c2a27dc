package github

import (
	"context"
	"strings"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// leads knows which repository a name leads to, and asks once for each. Two
// holds can be of one repository: it was renamed, and the benefit followed.
type leads struct {
	g   *Fulfiller
	ids map[lead]int64 // 0: nowhere, or to where another installation is
}

type lead struct {
	by   *caller
	name string
}

func (g *Fulfiller) leads() leads { return leads{g, map[lead]int64{}} }

// twins are those of all that are of r under another name, and pass.
func (n leads) twins(ctx context.Context, r *repository, all []grant.Hold, pass func(grant.Hold) bool) (twins []grant.Hold, err error) {
	n.ids[lead{r.by, r.asked}] = r.GetID()
	for _, h := range all {
		if h.Name == r.asked || !pass(h) {
			continue
		}
		id, err := n.id(ctx, lead{r.by, h.Name})
		if err != nil {
			return nil, err
		}
		if id == r.GetID() {
			twins = append(twins, h)
		}
	}
	return twins, nil
}

func (n leads) id(ctx context.Context, l lead) (int64, error) {
	if id, ok := n.ids[l]; ok {
		return id, nil
	}
	id, err := n.ask(ctx, l)
	if err == nil {
		n.ids[l] = id
	}
	return id, err
}

// ask does not open what another installation covers, which may rest for long. A
// name that led to what by has just opened would not be refused by itself.
func (n leads) ask(ctx context.Context, l lead) (int64, error) {
	n.g.leaveHome(l.name) // it may have moved
	by, _, err := n.g.callerFor(ctx, l.name)
	if by != nil && by != l.by {
		return 0, nil
	}
	var r *repository
	if err == nil {
		r, err = n.g.open(ctx, l.name)
	}
	e := fulfillers.Classify(err)
	switch {
	case e == nil:
		return r.GetID(), nil
	case e.Class == fulfillers.ClassPermanent, strings.HasPrefix(e.Lane, inviteLane("")):
		return 0, nil
	}
	return 0, err
}
