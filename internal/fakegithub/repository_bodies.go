package fakegithub

import (
	"fmt"
	"maps"
	"strings"
)

// repositoryURLs are the endings of a repository's many URLs.
const repositoryURLs = `
archive_url /{archive_format}{/ref}
assignees_url /assignees{/user}
blobs_url /git/blobs{/sha}
branches_url /branches{/branch}
collaborators_url /collaborators{/collaborator}
comments_url /comments{/number}
commits_url /commits{/sha}
compare_url /compare/{base}...{head}
contents_url /contents/{+path}
contributors_url /contributors
deployments_url /deployments
downloads_url /downloads
events_url /events
forks_url /forks
git_commits_url /git/commits{/sha}
git_refs_url /git/refs{/sha}
git_tags_url /git/tags{/sha}
hooks_url /hooks
issue_comment_url /issues/comments{/number}
issue_events_url /issues/events{/number}
issues_url /issues{/number}
keys_url /keys{/key_id}
labels_url /labels{/name}
languages_url /languages
merges_url /merges
milestones_url /milestones{/number}
notifications_url /notifications{?since,all,participating}
pulls_url /pulls{/number}
releases_url /releases{/id}
stargazers_url /stargazers
statuses_url /statuses/{sha}
subscribers_url /subscribers
subscription_url /subscription
tags_url /tags
teams_url /teams
trees_url /git/trees{/sha}`

// minimalRepository is minimal-repository: one in brief.
func minimalRepository(root string, r *repository) object {
	url := root + "/repos/" + r.fullName()
	body := object{
		"id": r.id, "node_id": nodeID("Repository", r.id), "name": r.name, "full_name": r.fullName(),
		"owner": simpleUser(root, r.owner), "private": !r.public, "html_url": web + "/" + r.fullName(),
		"description": nil, "fork": r.source != 0, "url": url,
	}
	for line := range strings.Lines(strings.TrimSpace(repositoryURLs)) {
		name, ending, _ := strings.Cut(strings.TrimSpace(line), " ")
		body[name] = url + ending
	}
	return body
}

// repositoryBody is GitHub's repository: one at length, whoever asks.
func (s *Server) repositoryBody(root string, r *repository) object {
	body, forks := minimalRepository(root, r), len(s.forks(r.id))
	maps.Copy(body, repositoryDetails())
	maps.Copy(body, object{
		"archived": r.archived, "visibility": r.visibility(),
		"created_at": stamp(r.created), "updated_at": stamp(r.created), "pushed_at": stamp(r.created),
		"git_url":   fmt.Sprintf("git://github.com/%s.git", r.fullName()),
		"ssh_url":   fmt.Sprintf("git@github.com:%s.git", r.fullName()),
		"clone_url": fmt.Sprintf("%s/%s.git", web, r.fullName()), "svn_url": web + "/" + r.fullName(),
		"forks": forks, "forks_count": forks, "network_count": forks,
	})
	return body
}

// fullRepository is full-repository, with what the caller may do there.
func (s *Server) fullRepository(c *call, r *repository) object {
	body := s.repositoryBody(c.root, r)
	body["permissions"] = c.strength(r).permissions()
	if r.owner.org != nil {
		body["organization"] = simpleUser(c.root, r.owner)
	}
	if source := s.repos[r.source]; source != nil {
		body["parent"], body["source"] = s.repositoryBody(c.root, source), s.repositoryBody(c.root, source)
	}
	return body
}

// repositoryDetails are what this GitHub has the same for all.
func repositoryDetails() object {
	return object{
		"homepage": nil, "language": nil, "license": nil, "mirror_url": nil, "temp_clone_token": "",
		"size": 0, "stargazers_count": 0, "watchers_count": 0, "watchers": 0, "subscribers_count": 0,
		"open_issues": 0, "open_issues_count": 0, "default_branch": "main", "topics": []string{},
		"has_issues": true, "has_projects": true, "has_wiki": true, "has_pages": false, "has_downloads": true,
		"has_discussions": false, "is_template": false, "disabled": false, "web_commit_signoff_required": false,
		"allow_forking": true, "allow_merge_commit": true, "allow_squash_merge": true, "allow_rebase_merge": true,
		"allow_auto_merge": false, "allow_update_branch": false, "delete_branch_on_merge": false,
		"custom_properties": object{},
	}
}

func (r *repository) visibility() string {
	if r.public {
		return "public"
	}
	return "private"
}
