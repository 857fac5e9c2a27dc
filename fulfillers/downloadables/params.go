package downloadables

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// mostFiles keeps one grant's work short.
const mostFiles = 500

// params are a benefit's properties on the platform, its metadata, or an entry of
// the config. Fields that are not known here belong to newer platforms.
type params struct {
	Files        ids             `json:"files"`
	Archived     map[string]bool `json:"archived"`
	MaxDownloads *int64          `json:"max_downloads"`
}

// ids are a list, or in metadata, whose values are flat, text with commas.
type ids []string

// UnmarshalJSON implements json.Unmarshaler.
func (all *ids) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return json.Unmarshal(raw, (*[]string)(all))
	}
	*all = nil
	for id := range strings.SplitSeq(text, ",") {
		if id = strings.TrimSpace(id); id != "" {
			*all = append(*all, id)
		}
	}
	return nil
}

// parse reads and checks params; it reports all problems at once.
func parse(raw json.RawMessage) (params, error) {
	var p params
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &p); err != nil {
			return p, explain(err)
		}
	}
	var errs []error
	if len(p.Files) == 0 {
		errs = append(errs, errors.New("files: is missing; list the ids of the files"))
	}
	if len(p.Files) > mostFiles {
		errs = append(errs, fmt.Errorf("files: must be at most %d; put them into an archive", mostFiles))
	}
	for i, text := range p.Files {
		id, err := uuid.Parse(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("files[%d]: %q is no id; `fulfilld files list` shows them", i, text))
		}
		p.Files[i] = id.String()
	}
	if m := p.MaxDownloads; m != nil && *m < 0 {
		errs = append(errs, errors.New("max_downloads: must be at least 1, or 0 for any number"))
	}
	return p, errors.Join(append(errs, p.readArchived())...)
}

func (p *params) readArchived() error {
	archived := map[string]bool{}
	var errs []error
	for text, hidden := range p.Archived {
		id, err := uuid.Parse(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("archived: %q is no id", text))
		}
		archived[id.String()] = hidden
	}
	p.Archived = archived
	return errors.Join(errs...)
}

// shown are the files that are not archived, each once.
func (p params) shown() (files []string) {
	for _, id := range p.Files {
		if !p.Archived[id] && !slices.Contains(files, id) {
			files = append(files, id)
		}
	}
	return files
}

// explain names the field that has the wrong type.
func explain(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) || wrong.Field == "" {
		return errors.New("parameters: must be a JSON object, and files in it a list of ids")
	}
	field, _, _ := strings.Cut(wrong.Field, ".")
	want := map[string]string{"files": "a list of ids", "archived": "an object of ids with true or false", "max_downloads": "a whole number"}[field]
	return fmt.Errorf("%s: must be %s, not %s", field, want, wrong.Value)
}
