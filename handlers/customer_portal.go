package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"fulfilld/grant"
	"fulfilld/handlers/portal"
)

// visit answers whose session it is.
type visit func(r *http.Request, s portal.Session) (any, error)

// visits are what a customer's program may ask, with the session's token.
func visits(l AdminLedger, f *Files, admin func(applied json.RawMessage) bool) map[string]visit {
	return map[string]visit{
		"GET /v1/customer-portal/license-keys/{$}":  listOwnKeys(l),
		"GET /v1/customer-portal/license-keys/{id}": getOwnKey(l, admin),
		"GET /v1/customer-portal/downloadables/{$}": f.listOwn(l),
	}
}

// visited answers who has a session, as long as the customer is not deleted.
func (a answers) visited(s portal.Sessions, l portal.People, v visit) http.Handler {
	return a.open(func(r *http.Request) (any, error) {
		session, err := s.Open(r.Context(), bearer(r))
		if err == nil {
			_, err = portal.Visitor(r.Context(), l, session)
		}
		if errors.Is(err, portal.ErrNoSession) {
			return nil, stranger(r)
		}
		if err != nil {
			return nil, err
		}
		return v(r, session)
	})
}

// memberOf is the filter of a session that is one member's.
func memberOf(s portal.Session) []string {
	if s.MemberID == "" {
		return nil
	}
	return []string{s.MemberID}
}

func listOwnKeys(l LicenseKeyList) visit {
	return func(r *http.Request, s portal.Session) (any, error) {
		q := queryOf(r)
		f := grant.LicenseKeyFilter{BenefitIDs: q.ids("benefit_id"), CustomerIDs: []string{s.CustomerID}, MemberIDs: memberOf(s)}
		p := q.page()
		if err := q.err(); err != nil {
			return nil, err
		}
		all, total, err := l.LicenseKeys(r.Context(), f, p)
		return listingOf(all, total, p, licenseKeyOf), err
	}
}

// getOwnKey answers a key; one of somebody else is none. Its activations are shown
// to who may end them, as on the platform and on the page; to others there are none.
func getOwnKey(l AdminLedger, admin func(applied json.RawMessage) bool) visit {
	return func(r *http.Request, s portal.Session) (any, error) {
		k, err := keyInPath(r, l)
		if err != nil {
			return nil, err
		}
		if k.CustomerID != s.CustomerID {
			return nil, notFound()
		}
		v, err := l.Grant(r.Context(), grant.GrantOf(k.FulfilmentID))
		if err != nil {
			return nil, err
		}
		if s.MemberID != "" && v.MemberID != s.MemberID {
			return nil, notFound()
		}
		i := slices.IndexFunc(v.Fulfilments, func(f grant.FulfilmentView) bool { return f.ID == k.FulfilmentID })
		if i < 0 || !admin(v.Fulfilments[i].Applied) {
			return keyWithActivations{licenseKeyOf(k), []activationItem{}}, nil
		}
		return withActivations(r.Context(), l, k)
	}
}

// downloadable is the platform's DownloadableRead.
type downloadable struct {
	ID        string       `json:"id"`
	BenefitID string       `json:"benefit_id"`
	File      fileDownload `json:"file"`
}

// fileDownload is the platform's FileDownload.
type fileDownload struct {
	fileItem
	Download downloadURL `json:"download"`
}

type downloadURL struct {
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	ExpiresAt stamp             `json:"expires_at"`
}

// ownDownloads is the namespace in which a grant and a file name a downloadable.
var ownDownloads = uuid.MustParse("b2a1c9c6-6a0b-5f0e-9a39-0e3a4f7f1c55")

// listOwn answers the files of all of a session's grants, with fresh links. Where
// downloads are switched off there are none.
func (f *Files) listOwn(l StateLedger) visit {
	return func(r *http.Request, s portal.Session) (any, error) {
		q := queryOf(r)
		benefits := q.ids("benefit_id")
		p := q.page()
		if err := q.err(); err != nil {
			return nil, err
		}
		grants, err := l.GrantsOf(r.Context(), s.CustomerID)
		if err != nil {
			return nil, err
		}
		var all []downloadable
		for _, v := range grants {
			if s.MemberID != "" && v.MemberID != s.MemberID || len(benefits) > 0 && !slices.Contains(benefits, v.BenefitID) {
				continue
			}
			of, err := f.downloadablesOf(r.Context(), v)
			if err != nil {
				return nil, err
			}
			all = append(all, of...)
		}
		from := min(p.Offset(), int64(len(all)))
		to := min(from+int64(p.Limit), int64(len(all)))
		return listingOf(all[from:to], int64(len(all)), p, func(d downloadable) downloadable { return d }), nil
	}
}

func (f *Files) downloadablesOf(ctx context.Context, v grant.View) (all []downloadable, err error) {
	if f == nil {
		return nil, nil
	}
	owed, err := f.Owed(ctx, v.ID)
	for _, d := range owed {
		link, err := f.Link(ctx, v.ID, d.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, downloadable{
			uuid.NewSHA1(ownDownloads, []byte(v.ID+" "+d.ID)).String(), v.BenefitID,
			fileDownload{fileOf(d.File), downloadURL{link.URL, map[string]string{}, stamp(link.ExpiresAt)}},
		})
	}
	return all, err
}

// Shown are the links that the customer page has to a grant's files.
func (f *Files) Shown(ctx context.Context, v grant.View) (all []portal.File, err error) {
	owed, err := f.downloadablesOf(ctx, v)
	for _, d := range owed {
		all = append(all, portal.File{Name: d.File.Name, Size: d.File.Size, URL: d.File.Download.URL})
	}
	return all, err
}
