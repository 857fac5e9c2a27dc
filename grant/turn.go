package grant

// Turn says, in words for the customer, who has to act so that a fulfilment that
// waits goes on.
type Turn struct {
	Text  string
	Yours bool // the customer; else the seller
}

// TurnOf finds the words for an error's code. What the error itself says is for the
// operator: it may name commands, and the files of the shop.
func TurnOf(code string) Turn {
	if text, ok := sellers[code]; ok {
		return Turn{text, false}
	}
	if text, ok := yours[code]; ok {
		return Turn{text, true}
	}
	return Turn{"Something is needed from you. Ask the seller what.", true}
}

var yours = map[string]string{
	"account_gone":       "The account you linked is gone. Tell the seller which account to use instead.",
	"ambiguous_account":  "What you gave may be the name of one account and the number of another. Tell the seller which is yours.",
	"bad_account":        "The account name you gave cannot be right. Tell the seller the right one.",
	"banned":             "Your account is banned from the server. Ask the seller.",
	"declined":           "The invitation was declined or withdrawn. Ask the seller for another.",
	"invitation_expired": "The invitations have expired. Ask the seller for another.",
	"invited":            "You are invited. Accept the invitation to get in.",
	"joins_limited":      "Your account cannot join servers for now. Try again later.",
	"no_account":         "Tell the seller which account is yours.",
	"no_such_account":    "There is no account of the name you gave. Tell the seller the right one.",
	"not_a_person":       "The account you gave is not a person's. Tell the seller which one to use.",
	"not_in_guild":       "Join the server. Your role follows within a few minutes.",
	"refused":            "The invitation was refused. You may have blocked the seller, or they you.",
	"removed_by_hand":    "You had access and have left, or were removed. Ask the seller to let you in again.",
	"too_many_guilds":    "Your account is in as many servers as it may be. Leave one of them.",
	"under_age":          "The server does not admit accounts of your age.",
	"unverified":         "Your account has to be verified first. Open Discord and follow its steps.",
}

var sellers = map[string]string{
	FileMissingCode: "The seller has not put every file here yet. The rest appears by itself.",
	"guild_full":    "The server is full. The seller has to make room.",
}
