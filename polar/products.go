package polar

import (
	"encoding/json"
	"fmt"
	"time"

	"fulfilld/grant"
)

type wireProduct struct {
	common
	Benefits []struct {
		ID key `json:"id"`
	} `json:"benefits"`
}

// productOf reads a product. One that does not list its benefits is refused:
// it must not pass for one that has lost them.
func productOf(text json.RawMessage, path string, sent time.Time) (grant.Product, error) {
	var w wireProduct
	if err := fill(text, path, &w); err != nil {
		return grant.Product{}, err
	}
	if w.Benefits == nil {
		return grant.Product{}, fmt.Errorf("%s.benefits: is missing", path)
	}
	p := grant.Product{ID: string(w.ID), Body: kept(text), Version: w.version(sent)}
	for i, b := range w.Benefits {
		if err := need(fmt.Sprintf("%s.benefits[%d]", path, i), id{"id", b.ID}); err != nil {
			return grant.Product{}, err
		}
		p.Benefits = append(p.Benefits, string(b.ID))
	}
	return p, need(path, id{"id", w.ID})
}

func productNews(text json.RawMessage, sent time.Time) (grant.News, error) {
	p, err := productOf(text, "data", sent)
	return grant.News{Products: []grant.Product{p}}, err
}
