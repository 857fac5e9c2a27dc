package fakegithub

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// road is one endpoint. A star in its path stands for one segment; a path that
// starts with "repo" is reached by a repository's name and by its id.
type road struct {
	method, path string
	need         need
	docs         string
	do           func(*Server, *call) answer
}

func roads() []road {
	return []road{
		{"GET", "rate_limit", nothing, "rate-limit/rate-limit", (*Server).getRateLimit},
		{"GET", "user/*", nothing, "users/users#get-a-user-using-their-id", (*Server).getUserByID},
		{"GET", "users/*", nothing, "users/users#get-a-user", (*Server).getUser},
		{"GET", "orgs/*", nothing, "orgs/orgs#get-an-organization", (*Server).getOrg},
		{"GET", "orgs/*/memberships/*", signedIn, "orgs/members#get-organization-membership-for-a-user", (*Server).getMembership},
		{"GET", "orgs/*/members/*", signedIn, "orgs/members#check-organization-membership-for-a-user", (*Server).checkMember},
		{"GET", "app", jwt, "apps/apps#get-the-authenticated-app", (*Server).getApp},
		{"GET", "app/installations", jwt, "apps/apps#list-installations-for-the-authenticated-app", (*Server).listInstallations},
		{"GET", "app/installations/*", jwt, "apps/apps#get-an-installation-for-the-authenticated-app", (*Server).getInstallation},
		{"POST", "app/installations/*/access_tokens", jwt, "apps/apps#create-an-installation-access-token-for-an-app", (*Server).createToken},
		{"GET", "repo/installation", jwt, "apps/apps#get-a-repository-installation-for-the-authenticated-app", (*Server).getRepositoryInstallation},
		{"GET", "repo", sight, "repos/repos#get-a-repository", (*Server).getRepository},
		{"DELETE", "repo", adminWrite, "repos/repos#delete-a-repository", (*Server).deleteRepository},
		{"GET", "repo/collaborators", push, "collaborators/collaborators#list-repository-collaborators", (*Server).listCollaborators},
		{"GET", "repo/collaborators/*", push, "collaborators/collaborators#check-if-a-user-is-a-repository-collaborator", (*Server).checkCollaborator},
		{"GET", "repo/collaborators/*/permission", push, "collaborators/collaborators#get-repository-permissions-for-a-user", (*Server).getPermission},
		{"PUT", "repo/collaborators/*", adminWrite, "collaborators/collaborators#add-a-repository-collaborator", (*Server).addCollaborator},
		{"DELETE", "repo/collaborators/*", adminWrite, "collaborators/collaborators#remove-a-repository-collaborator", (*Server).removeCollaborator},
		{"GET", "repo/invitations", adminRead, "collaborators/invitations#list-repository-invitations", (*Server).listInvitations},
		{"PATCH", "repo/invitations/*", adminWrite, "collaborators/invitations#update-a-repository-invitation", (*Server).updateInvitation},
		{"DELETE", "repo/invitations/*", adminWrite, "collaborators/invitations#delete-a-repository-invitation", (*Server).deleteInvitation},
	}
}

func (s *Server) route(c *call) answer {
	p, moved := s.locate(c)
	if moved != nil {
		return *moved
	}
	for _, r := range s.roads {
		if ok, _ := path.Match(r.path, p); !ok || r.method != c.Method {
			continue
		}
		c.args = stars(r.path, p)
		if a := s.allow(c, r.need); a != nil {
			return a.documented(r.docs)
		}
		return r.do(s, c).documented(r.docs)
	}
	return notFound()
}

func stars(pattern, p string) (args []string) {
	segments := strings.Split(p, "/")
	for i, segment := range strings.Split(pattern, "/") {
		if segment == "*" {
			args = append(args, segments[i])
		}
	}
	return args
}

// locate finds the repository that the path names and returns the path with
// "repo" in its place. A former name is answered by a redirect to the id, but
// only to those who may see where it leads.
func (s *Server) locate(c *call) (string, *answer) {
	segments := strings.Split(strings.TrimPrefix(c.path, "/"), "/")
	switch {
	case len(segments) >= 3 && segments[0] == "repos":
		return s.locateByName(c, segments[1]+"/"+segments[2], segments[3:])
	case len(segments) >= 2 && segments[0] == "repositories":
		id, _ := strconv.ParseInt(segments[1], 10, 64)
		c.repo = s.repos[id]
		return path.Join(append([]string{"repo"}, segments[2:]...)...), nil
	case segments[0] == "repo":
		return "", nil
	}
	return strings.Join(segments, "/"), nil
}

func (s *Server) locateByName(c *call, name string, rest []string) (string, *answer) {
	if id, ok := s.names[fold(name)]; ok {
		c.repo = s.repos[id]
	} else if r := s.repos[s.moved[fold(name)]]; r != nil && s.visible(c, r) {
		a := redirect(c, r, rest)
		return "", &a
	}
	return path.Join(append([]string{"repo"}, rest...)...), nil
}

// redirect answers reads with 301 and writes with 307, which keeps the method.
func redirect(c *call, r *repository, rest []string) answer {
	target := fmt.Sprintf("%s/repositories/%d", c.root, r.id)
	for _, segment := range rest {
		target += "/" + url.PathEscape(segment)
	}
	if c.URL.RawQuery != "" {
		target += "?" + c.URL.RawQuery
	}
	status := http.StatusTemporaryRedirect
	if c.Method == http.MethodGet || c.Method == http.MethodHead {
		status = http.StatusMovedPermanently
	}
	body := &problem{Message: http.StatusText(status), URL: target, Docs: docsRedirects}
	return answer{status: status, body: body}.with("Location", target)
}
