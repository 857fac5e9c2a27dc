package fakediscord

import (
	"net/url"
	"slices"
	"strings"
)

// bucket names a group of routes that share a rate limit.
type bucket string

const (
	roleBucket   bucket = "member roles"
	memberBucket bucket = "members"
	inviteBucket bucket = "invites"
	otherBucket  bucket = "others"
)

// operation does what a request asks for.
type operation func(*Server, *call) (answer, error)

// route is where an operation is found. The wildcards of its path whose names
// end in _id take snowflakes.
type route struct {
	method   string
	segments []string
	bucket   bucket
	public   bool // needs no token
	serve    operation
}

var routes = []route{
	on("GET /users/@me", otherBucket, (*Server).getMe),
	on("GET /users/{user_id}", otherBucket, (*Server).getUser),
	on("GET /applications/@me", otherBucket, (*Server).getApplication),
	on("GET /oauth2/applications/@me", otherBucket, (*Server).getApplication),
	on("GET /guilds/{guild_id}", otherBucket, (*Server).getGuild),
	on("GET /guilds/{guild_id}/roles", otherBucket, in(0, (*Server).getRoles)),
	on("GET /guilds/{guild_id}/channels", otherBucket, in(0, (*Server).getChannels)),
	on("GET /guilds/{guild_id}/invites", inviteBucket, in(0, (*Server).getGuildInvites)),
	on("GET /guilds/{guild_id}/members/{user_id}", memberBucket, ofMember(0, (*Server).getMember)),
	on("PUT /guilds/{guild_id}/members/{user_id}", memberBucket, in(CreateInstantInvite, (*Server).putMember)),
	on("PATCH /guilds/{guild_id}/members/{user_id}", memberBucket, ofMember(0, (*Server).patchMember)),
	on("DELETE /guilds/{guild_id}/members/{user_id}", memberBucket, ofMember(KickMembers, (*Server).deleteMember)),
	on("PUT /guilds/{guild_id}/members/{user_id}/roles/{role_id}", roleBucket, ofMember(ManageRoles, (*Server).putMemberRole)),
	on("DELETE /guilds/{guild_id}/members/{user_id}/roles/{role_id}", roleBucket, ofMember(ManageRoles, (*Server).deleteMemberRole)),
	on("GET /guilds/{guild_id}/bans/{user_id}", memberBucket, in(BanMembers, (*Server).getBan)),
	on("PUT /guilds/{guild_id}/bans/{user_id}", memberBucket, in(BanMembers, (*Server).putBan)),
	on("DELETE /guilds/{guild_id}/bans/{user_id}", memberBucket, in(BanMembers, (*Server).deleteBan)),
	on("POST /channels/{channel_id}/invites", inviteBucket, (*Server).postInvite),
	public(on("GET /invites/{code}", inviteBucket, (*Server).getInvite)),
	on("DELETE /invites/{code}", inviteBucket, (*Server).deleteInvite),
}

func on(pattern string, b bucket, serve operation) route {
	method, path, _ := strings.Cut(pattern, " ")
	return route{method: method, segments: split(path), bucket: b, serve: serve}
}

// in makes an operation one on the guild in the path, for bots that are in it and
// may do what need says.
func in(need int64, serve operation) operation {
	return func(s *Server, c *call) (answer, error) {
		if err := s.enter(c, c.param["guild_id"], need); err != nil {
			return answer{}, err
		}
		return serve(s, c)
	}
}

// ofMember is in for operations on a member.
func ofMember(need int64, serve operation) operation {
	return in(need, func(s *Server, c *call) (answer, error) {
		if err := s.findMember(c); err != nil {
			return answer{}, err
		}
		return serve(s, c)
	})
}

func public(r route) route {
	r.public = true
	return r
}

// find is a router that forgives nothing: it neither cleans paths nor lets an
// empty segment stand for an id, so that a client's slip is seen as one.
func find(method, path string) (*route, map[string]string) {
	segments := split(path)
	for i := range routes {
		if routes[i].method != method {
			continue
		}
		if param, ok := routes[i].match(segments); ok {
			return &routes[i], param
		}
	}
	return nil, nil
}

func (r *route) match(segments []string) (map[string]string, bool) {
	if len(segments) != len(r.segments) {
		return nil, false
	}
	param := map[string]string{}
	for i, want := range r.segments {
		name, wild := wildcard(want)
		got, err := url.PathUnescape(segments[i])
		if err != nil || !wild && got != want || wild && slices.Contains([]string{"", ".", ".."}, got) {
			return nil, false
		}
		if wild {
			param[name] = got
		}
	}
	return param, true
}

func split(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

func wildcard(segment string) (name string, ok bool) {
	name, ok = strings.CutPrefix(segment, "{")
	return strings.TrimSuffix(name, "}"), ok
}
