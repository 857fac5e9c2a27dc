package tasks

import (
	"fmt"
	"strings"
	"testing"

	"fulfilld/grant"
)

// Every state, every verdict, whether the generation was seen through, and
// whether a renewal is open.
const decisions = `
owed     state      new     seen    new+cycle  seen+cycle
granted  pending    grant   grant   grant      grant
granted  granted    grant   grant   grant      cycle
granted  waiting    grant   grant   grant      grant
granted  failed     grant   grant   grant      grant
granted  revoking   grant   grant   grant      grant
granted  revoked    grant   grant   grant      grant
granted  unmanaged  grant   grant   grant      grant
revoked  pending    revoke  revoke  revoke     revoke
revoked  granted    revoke  revoke  revoke     revoke
revoked  waiting    revoke  revoke  revoke     revoke
revoked  failed     revoke  revoke  revoke     revoke
revoked  revoking   revoke  revoke  revoke     revoke
revoked  revoked    revoke  none    revoke     none
revoked  unmanaged  revoke  revoke  revoke     revoke
none     pending    none    none    none       none
none     granted    none    none    none       none
none     waiting    none    none    none       none
none     failed     none    none    none       none
none     revoking   none    none    none       none
none     revoked    none    none    none       none
none     unmanaged  none    none    none       none
`

func TestDecide(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(decisions), "\n")[1:]
	if want := len(grant.States) * 3; len(lines) != want {
		t.Fatalf("the table has %d lines, and %d cases are possible", len(lines), want)
	}
	for _, line := range lines {
		cell := strings.Fields(line)
		for i, want := range cell[2:] {
			h := grant.Held{Seen: i%2 == 1, Verdict: grant.Verdict{Desired: grant.Desired(cell[0])}}
			h.State = grant.State(cell[1])
			if i >= 2 {
				h.Cycles = []string{"2026-10"}
			}
			t.Run(fmt.Sprintf("%s/%s/seen=%v/cycles=%d", cell[0], cell[1], h.Seen, len(h.Cycles)), func(t *testing.T) {
				if got := decide(h); string(got) != want {
					t.Errorf("decided to %s, want %s", got, want)
				}
			})
		}
	}
}
