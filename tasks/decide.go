package tasks

import "fulfilld/grant"

// decide says what to do about a fulfilment. It is pure.
func decide(h grant.Held) grant.Action {
	switch {
	case h.Verdict.Desired == grant.OwedGranted:
		if h.Seen && h.State == grant.Granted && len(h.Cycles) > 0 {
			return grant.DoCycle
		}
		return grant.DoGrant
	case h.Verdict.Desired == grant.OwedRevoked && !(h.Seen && h.State == grant.Revoked):
		return grant.DoRevoke
	}
	return grant.DoNothing
}
