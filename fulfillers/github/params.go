package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fulfilld/fulfillers"
)

// params are an entry of the config, a benefit's metadata, or its properties on
// the platform. Fields that are not known here belong to newer platforms.
type params struct {
	Repositories    names  `json:"repositories"`
	Repository      string `json:"repository"`
	RepositoryOwner string `json:"repository_owner"`
	RepositoryName  string `json:"repository_name"`
	Permission      string `json:"permission"`
}

// names are a list, or in metadata, whose values are flat, text with commas.
type names []string

// UnmarshalJSON implements json.Unmarshaler.
func (n *names) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*n = nil
		for name := range strings.SplitSeq(text, ",") {
			if name = strings.TrimSpace(name); name != "" {
				*n = append(*n, name)
			}
		}
		return nil
	}
	if json.Unmarshal(raw, (*[]string)(n)) != nil {
		return errors.New("repositories: must be a list of owner/name")
	}
	return nil
}

// wish is what parameters ask for.
type wish struct {
	repositories []string // lower case
	level        int
}

// parse reads and checks params; it reports all problems at once.
func parse(raw json.RawMessage) (w wish, err error) {
	var p params
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &p); err != nil {
			return w, explain(err)
		}
	}
	errs := []error{p.collect(&w)}
	if w.level = 1; p.Permission != "" {
		w.level = levelOf(p.Permission)
	}
	if w.level == 0 {
		errs = append(errs, fmt.Errorf("permission: must be one of %s", permissionWords()))
	}
	return w, errors.Join(errs...)
}

func (p params) collect(w *wish) error {
	var errs []error
	add := func(field, name string) {
		if !isRepository(name) {
			errs = append(errs, fmt.Errorf("%s: %q is no repository; write owner/name, for example acme/pro", field, name))
		} else if name = strings.ToLower(name); !slices.Contains(w.repositories, name) {
			w.repositories = append(w.repositories, name)
		}
	}
	for i, name := range p.Repositories {
		add(fmt.Sprintf("repositories[%d]", i), name)
	}
	if p.Repository != "" {
		add("repository", p.Repository)
	}
	if p.RepositoryOwner != "" || p.RepositoryName != "" {
		add("repository_owner and repository_name", p.RepositoryOwner+"/"+p.RepositoryName)
	}
	if len(errs) == 0 && len(w.repositories) == 0 {
		return errors.New("repositories: is missing; write a list of owner/name")
	}
	return errors.Join(errs...)
}

func isRepository(full string) bool {
	owner, name, _ := strings.Cut(full, "/")
	return loginForm.MatchString(owner) && repoForm.MatchString(name) && name != "." && name != ".."
}

// explain names the field that has the wrong type.
func explain(err error) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Errorf("%s: must be text, not %s", wrong.Field, wrong.Value)
	case strings.HasPrefix(err.Error(), "repositories: "):
		return err
	}
	return errors.New("parameters: must be a JSON object")
}

// numeric reads an account's id, which comes from outside too.
func numeric(id string) (int64, error) {
	if !idForm.MatchString(id) {
		return 0, fulfillers.ActionRequired("bad_account", "github: the account is not known by its numeric id; link the GitHub account again")
	}
	return strconv.ParseInt(id, 10, 64)
}
