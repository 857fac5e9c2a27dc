package fakegithub

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// web is where GitHub is for people.
const web = "https://github.com"

type object = map[string]any

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// simpleUser is GitHub's simple-user: a person, organisation or bot in brief. One
// that is gone is null.
func simpleUser(root string, a *account) object {
	if a == nil || a.gone {
		return nil
	}
	url := root + "/users/" + a.login
	return object{
		"login": a.login, "id": a.id, "node_id": nodeID(a.kind, a.id),
		"avatar_url":  fmt.Sprintf("https://avatars.githubusercontent.com/u/%d?v=4", a.id),
		"gravatar_id": "", "url": url, "html_url": web + "/" + a.login,
		"followers_url":       url + "/followers",
		"following_url":       url + "/following{/other_user}",
		"gists_url":           url + "/gists{/gist_id}",
		"starred_url":         url + "/starred{/owner}{/repo}",
		"subscriptions_url":   url + "/subscriptions",
		"organizations_url":   url + "/orgs",
		"repos_url":           url + "/repos",
		"events_url":          url + "/events{/privacy}",
		"received_events_url": url + "/received_events",
		"type":                a.kind, "user_view_type": "public", "site_admin": false,
	}
}

// publicUser is public-user: an account as its own page shows it.
func publicUser(root string, a *account) object {
	body := simpleUser(root, a)
	maps.Copy(body, object{
		"name": nil, "company": nil, "blog": "", "location": nil, "email": nil, "hireable": nil, "bio": nil,
		"twitter_username": nil, "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
		"created_at": stamp(a.created), "updated_at": stamp(a.created),
	})
	return body
}

// collaborator is a simple-user with a role.
func collaborator(root string, a *account, role Role) object {
	body := simpleUser(root, a)
	body["permissions"], body["role_name"] = role.permissions(), role
	return body
}

// simpleOrg is organization-simple.
func simpleOrg(root string, a *account) object {
	url := root + "/orgs/" + a.login
	return object{
		"login": a.login, "id": a.id, "node_id": nodeID(a.kind, a.id), "url": url,
		"repos_url": url + "/repos", "events_url": url + "/events", "hooks_url": url + "/hooks",
		"issues_url": url + "/issues", "members_url": url + "/members{/member}",
		"public_members_url": url + "/public_members{/member}",
		"avatar_url":         fmt.Sprintf("https://avatars.githubusercontent.com/u/%d?v=4", a.id),
		"description":        nil,
	}
}

// fullOrg is organization-full. What members may do and the seats are for those
// who belong there.
func (s *Server) fullOrg(c *call, a *account) object {
	body := simpleOrg(c.root, a)
	maps.Copy(body, object{
		"is_verified": false, "has_organization_projects": true, "has_repository_projects": true,
		"public_repos": 0, "public_gists": 0, "followers": 0, "following": 0, "html_url": web + "/" + a.login,
		"created_at": stamp(a.created), "updated_at": stamp(a.created), "archived_at": nil, "type": a.kind,
	})
	if c.by.token == nil || !c.insider(a) {
		return body
	}
	filled := len(s.seated(a))
	body["default_repository_permission"] = a.org.base
	body["members_can_create_repositories"] = true
	body["plan"] = object{
		"name": "team", "space": 976562499, "private_repos": 999999, "filled_seats": filled, "seats": max(a.org.seats, filled),
	}
	return body
}

// membership is org-membership.
func membership(root string, a, u *account) object {
	role := "member"
	if a.org.members[u.id] {
		role = "admin"
	}
	return object{
		"url": root + "/orgs/" + a.login + "/memberships/" + u.login, "state": "active", "role": role,
		"direct_membership": true, "organization_url": root + "/orgs/" + a.login,
		"organization": simpleOrg(root, a), "user": simpleUser(root, u),
	}
}

// invitationBody is repository-invitation.
func (s *Server) invitationBody(c *call, i *invitation) object {
	return object{
		"id": i.id, "node_id": nodeID("RepositoryInvitation", i.id), "repository": minimalRepository(c.root, i.repo),
		"invitee": simpleUser(c.root, i.invitee), "inviter": simpleUser(c.root, i.inviter),
		"permissions": i.role, "created_at": stamp(i.created), "expired": s.expired(i),
		"url":      fmt.Sprintf("%s/user/repository_invitations/%d", c.root, i.id),
		"html_url": web + "/" + i.repo.fullName() + "/invitations",
	}
}

// appBody is integration: an App, seen by itself.
func (s *Server) appBody(root string, a *app) object {
	permissions, count := map[string]string{"metadata": "read"}, 0
	for _, i := range s.installations {
		if i.app == a {
			maps.Copy(permissions, i.permissions)
			count++
		}
	}
	return object{
		"id": a.ID, "slug": a.Slug, "client_id": a.ClientID, "node_id": nodeID("App", a.ID),
		"owner": simpleUser(root, a.owner), "name": a.Slug, "description": "", "external_url": web,
		"html_url": web + "/apps/" + a.Slug, "created_at": stamp(a.created), "updated_at": stamp(a.created),
		"permissions": permissions, "events": []string{}, "installations_count": count,
	}
}

// installationBody is installation.
func installationBody(root string, i *installation) object {
	body := object{
		"id": i.id, "account": simpleUser(root, i.account), "repository_selection": selection(i.repos),
		"access_tokens_url": fmt.Sprintf("%s/app/installations/%d/access_tokens", root, i.id),
		"repositories_url":  root + "/installation/repositories",
		"html_url":          fmt.Sprintf("%s/organizations/%s/settings/installations/%d", web, i.account.login, i.id),
		"app_id":            i.app.ID, "app_slug": i.app.Slug, "client_id": i.app.ClientID,
		"target_id": i.account.id, "target_type": i.account.kind,
		"permissions": maps.Clone(i.permissions), "events": []string{},
		"created_at": stamp(i.created), "updated_at": stamp(i.created),
		"single_file_name": nil, "has_multiple_single_files": false, "single_file_paths": []string{},
		"suspended_by": nil, "suspended_at": nil,
	}
	if !i.suspended.IsZero() {
		body["suspended_by"], body["suspended_at"] = simpleUser(root, i.account), stamp(i.suspended)
	}
	return body
}

func selection(repos map[int64]bool) string {
	if repos == nil {
		return "all"
	}
	return "selected"
}

// tokenBody is installation-token.
func (s *Server) tokenBody(c *call, t *token, secret string) object {
	body := object{
		"token": secret, "expires_at": stamp(t.expires), "permissions": maps.Clone(t.permissions),
		"repository_selection": selection(t.repos),
	}
	if t.repos == nil {
		return body
	}
	repositories := []any{}
	for _, id := range slices.Sorted(maps.Keys(t.repos)) {
		if r := s.repos[id]; r != nil {
			repositories = append(repositories, s.fullRepository(c, r))
		}
	}
	body["repositories"] = repositories
	return body
}
