package discord

import (
	"slices"
	"strings"

	"fulfilld/grant"
)

// provider is whose accounts these are.
const provider = "discord"

// Resources have one level. "<guild>/<role>" is a role; "<guild>" is being a
// member, which every grant holds, so that who lets go last can tell. A grant
// without kick_member lets go of it without ending it.

func roleName(guild, role string) string { return guild + "/" + role }

// partsOf splits a resource's name; a membership has no role.
func partsOf(name string) (guild, role string) {
	guild, role, _ = strings.Cut(name, "/")
	return guild, role
}

// resourcesOf names what p gives an account.
func resourcesOf(p params, account string) []grant.Resource {
	all := []grant.Resource{{Provider: provider, Name: p.Guild, Account: account, Level: 1}}
	for _, role := range p.Roles {
		all = append(all, grant.Resource{Provider: provider, Name: roleName(p.Guild, role), Account: account, Level: 1})
	}
	return all
}

// party is one account in one guild, and what a fulfilment holds there.
type party struct {
	guild, user string
	roles       []grant.Hold
	member      grant.Hold // Name is empty where the fulfilment does not hold it
}

// partiesOf sorts holds by guild and account.
func partiesOf(holds []grant.Hold) []*party {
	var all []*party
	for _, h := range holds {
		guild, role := partsOf(h.Name)
		i := slices.IndexFunc(all, func(p *party) bool { return p.guild == guild && p.user == h.Account })
		if i < 0 {
			i = len(all)
			all = append(all, &party{guild: guild, user: h.Account})
		}
		if role == "" {
			all[i].member = h
		} else {
			all[i].roles = append(all[i].roles, h)
		}
	}
	return all
}

// wanted are the roles that this fulfilment is to give.
func (p *party) wanted() []string {
	return p.choose(func(h grant.Hold) bool { return h.Level > 0 })
}

// unowed are the roles that nobody owes the account any more and that were not
// there before.
func (p *party) unowed() []string { return p.choose(isUnowed) }

func (p *party) choose(yes func(grant.Hold) bool) (roles []string) {
	for _, h := range p.roles {
		if yes(h) {
			_, role := partsOf(h.Name)
			roles = append(roles, role)
		}
	}
	return roles
}

func isUnowed(h grant.Hold) bool { return h.Owed() == 0 && h.Origin != grant.FromBefore }

// leaves reports whether this fulfilment lets go of the membership.
func (p *party) leaves() bool { return p.member.Name != "" && p.member.Level == 0 }
