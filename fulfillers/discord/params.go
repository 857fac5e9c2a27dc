package discord

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// params say which roles of which guild a benefit gives. They are an entry of
// the config, a benefit's metadata or its properties on the platform; fields
// that are not known here, such as the platform's guild_token, are left alone.
type params struct {
	Guild string
	Roles []string // role_ids and role_id, each once
	Kick  bool     // kick_member: who came with the grant leaves the guild with it
}

// id is a snowflake. One with a leading zero would be a second name for the same
// thing.
var id = regexp.MustCompile(`^[1-9][0-9]{0,19}$`)

func isID(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil && id.MatchString(s)
}

func notAnID(path, menu string) error {
	return fmt.Errorf("%s: must be a Discord id, a number of up to 20 digits in quotes; switch on Developer Mode in Discord and use %s", path, menu)
}

// parse reads and checks params; it reports all problems at once.
func parse(raw json.RawMessage) (params, error) {
	var fields map[string]json.RawMessage
	if len(raw) > 0 && json.Unmarshal(raw, &fields) != nil {
		return params{}, errors.New("parameters: must be a JSON object")
	}
	guilds, err := idList(fields, "guild_id", "Copy Server ID")
	role, err1 := idList(fields, "role_id", "Copy Role ID")
	roles, err2 := idList(fields, "role_ids", "Copy Role ID")
	kick, err3 := yes(fields, "kick_member")
	p := params{Roles: slices.Compact(slices.Sorted(slices.Values(append(roles, role...)))), Kick: kick}
	if len(guilds) == 1 {
		p.Guild = guilds[0]
	}
	if err := errors.Join(err, err1, err2, err3); err != nil {
		return p, err
	}
	return p, p.check(len(guilds))
}

func (p params) check(guilds int) error {
	var errs []error
	if guilds != 1 {
		errs = append(errs, errors.New("guild_id: must name one guild; write its id"))
	}
	if len(p.Roles) == 0 {
		errs = append(errs, errors.New("role_ids: is missing; name at least one role"))
	}
	if p.Guild != "" && slices.Contains(p.Roles, p.Guild) {
		errs = append(errs, errors.New("role_ids: the role with the guild's own id is @everyone, which all members have; name another"))
	}
	return errors.Join(errs...)
}

// idList reads ids from text, separated by commas, or from a list. A number is
// refused: beyond 2^53 it may have lost its last digits on the way here.
func idList(fields map[string]json.RawMessage, name, menu string) ([]string, error) {
	var text string
	var list []json.RawMessage
	raw := fields[name]
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil, nil
	case json.Unmarshal(raw, &text) == nil:
		ids := splitList(text)
		if len(ids) == 1 && !isID(ids[0]) {
			return nil, notAnID(name, menu)
		}
		return ids, checkIDs(name, menu, ids)
	case json.Unmarshal(raw, &list) != nil:
		return nil, notAnID(name, menu)
	}
	ids := make([]string, len(list))
	for i, item := range list {
		_ = json.Unmarshal(item, &ids[i]) // what is no text stays empty, which is no id
	}
	return ids, checkIDs(name, menu, ids)
}

func splitList(text string) (list []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// yes reads a boolean, which in metadata may be text.
func yes(fields map[string]json.RawMessage, name string) (bool, error) {
	switch text := strings.Trim(string(fields[name]), `"`); text {
	case "true":
		return true, nil
	case "false", "", "null":
		return false, nil
	}
	return false, errors.New(name + ": must be true or false")
}
