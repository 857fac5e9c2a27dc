package fakediscord

import (
	"fmt"
	"net/http"
)

// Error is what Discord answers when it refuses. Methods that act as people do
// return it as well. The codes are those of
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#json.
type Error struct {
	Status, Code int
	Message      string

	field object // what is wrong with which field
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("discord: %d %s (%d)", e.Status, e.Message, e.Code)
}

var (
	notFound     = statusError(http.StatusNotFound)
	unauthorized = statusError(http.StatusUnauthorized)

	unknownChannel = &Error{Status: http.StatusNotFound, Code: 10003, Message: "Unknown Channel"}
	unknownGuild   = &Error{Status: http.StatusNotFound, Code: 10004, Message: "Unknown Guild"}
	unknownInvite  = &Error{Status: http.StatusNotFound, Code: 10006, Message: "Unknown Invite"}
	unknownMember  = &Error{Status: http.StatusNotFound, Code: 10007, Message: "Unknown Member"}
	unknownRole    = &Error{Status: http.StatusNotFound, Code: 10011, Message: "Unknown Role"}
	unknownUser    = &Error{Status: http.StatusNotFound, Code: 10013, Message: "Unknown User"}
	unknownBan     = &Error{Status: http.StatusNotFound, Code: 10026, Message: "Unknown Ban"}

	tooManyGuilds  = &Error{Status: http.StatusBadRequest, Code: 30001, Message: "Maximum number of guilds reached (100)"}
	tooManyInvites = &Error{Status: http.StatusBadRequest, Code: 30016, Message: "Maximum number of invites reached (1000)"}
	guildFull      = &Error{Status: http.StatusBadRequest, Code: 30019, Message: "Maximum number of server members reached"}
	banned         = &Error{Status: http.StatusForbidden, Code: 40007, Message: "The user is banned from this guild."}

	missingAccess      = &Error{Status: http.StatusForbidden, Code: 50001, Message: "Missing Access"}
	missingPermissions = &Error{Status: http.StatusForbidden, Code: 50013, Message: "Missing Permissions"}
	wrongChannelType   = &Error{Status: http.StatusBadRequest, Code: 50024, Message: "Cannot execute action on this channel type"}
	invalidAccessToken = &Error{Status: http.StatusForbidden, Code: 50025, Message: "Invalid OAuth2 access token"}
	missingScope       = &Error{Status: http.StatusForbidden, Code: 50026, Message: "Missing required OAuth2 scope"}
	wrongContentType   = &Error{Status: http.StatusBadRequest, Code: 50035, Message: `Expected "Content-Type" header to be one of {'application/json'}.`}
	invalidJSON        = &Error{Status: http.StatusBadRequest, Code: 50109, Message: "The request body contains invalid JSON."}
	twoFactorRequired  = &Error{Status: http.StatusForbidden, Code: 60003, Message: "Two factor is required for this operation"}
)

// statusError is the form of errors that have no code of their own.
func statusError(status int) *Error {
	return &Error{Status: status, Message: fmt.Sprintf("%d: %s", status, http.StatusText(status))}
}

func invalidForm(field, code, message string) *Error {
	return &Error{
		Status: http.StatusBadRequest, Code: 50035, Message: "Invalid Form Body",
		field: object{field: object{"_errors": []object{{"code": code, "message": message}}}},
	}
}
