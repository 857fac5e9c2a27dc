//go:build unix

package e2e

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"fulfilld/polar"
)

// localKinds are fulfilled without a provider; custom by the merchant's server.
var localKinds = []string{"custom", "downloadables", "feature_flag", "license_keys", "meter_credit"}

const buyersEach = 8

// purchase is a grant of one kind; every second one ends.
type purchase struct {
	kind            string
	grant, customer string
	ends            bool
}

// tells is the platform's example about the purchase.
func (b purchase) tells(t testing.TB, typ string, at time.Time) webhook {
	t.Helper()
	body, err := polar.Template(typ, b.kind)
	if err == nil {
		body, err = polar.Personalise(body, polar.Personal{CustomerID: b.customer, Email: b.customer + "@e2e.example", GrantID: b.grant, At: at})
	}
	if err != nil {
		t.Fatal(err)
	}
	return webhook{uuid.NewString(), body}
}

// crowd are purchases of every kind, and what the platform says of them: first
// that they begin, then that some end.
func crowd(t testing.TB) (all []purchase, begin, end []webhook) {
	t.Helper()
	began := time.Now().Add(-time.Hour)
	for n := range buyersEach {
		for _, kind := range localKinds {
			b := purchase{kind, uuid.NewString(), uuid.NewString(), n%2 == 1}
			all, begin = append(all, b), append(begin, b.tells(t, "benefit_grant.created", began))
			if kind == "meter_credit" {
				begin = append(begin, b.tells(t, "benefit_grant.cycled", began.Add(time.Minute)))
			}
			if b.ends {
				end = append(end, b.tells(t, "benefit_grant.revoked", began.Add(2*time.Minute)))
			}
		}
	}
	return all, begin, end
}

// Killed at every stage, the daemon gives everybody what they bought once, and
// takes it from those whose purchase ended.
func TestEveryKindOutlivesKills(t *testing.T) {
	t.Parallel()
	onEachEngine(t, outlivesKills)
}

func outlivesKills(t *testing.T, ledger, redis string) {
	m := newMerchant(t)
	d := newDaemon(t, ledger, redis, append(slices.Clone(creditSettings),
		"FULFILLD_FULFILLERS_DOWNLOADABLES_CONCURRENCY=4", "FULFILLD_PUBLIC_URL=http://fulfil.example",
		"FULFILLD_FULFILLERS_CUSTOM_URL="+m.URL+"/custom", "FULFILLD_FULFILLERS_CUSTOM_ALLOW_PRIVATE=127.0.0.1",
		"FULFILLD_FULFILLERS_CUSTOM_SECRETS="+signingNow+","+signingNext)...)
	d.start()
	putExamples(t, d)
	all, begin, end := crowd(t)
	db := openLedger(t, cmp.Or(ledger, "sqlite://"+d.dir+"/fulfilld.db"))
	for _, said := range [][]webhook{begin, end} {
		p := newPlatform(d)
		done := p.deliverAll(t, 2, said)
		for blow := range 5 {
			within(t, patience, "more events", func() error {
				if n := p.acked.Load(); int(n) < (blow+1)*len(said)/6 {
					return fmt.Errorf("%d are acknowledged", n)
				}
				return nil
			})
			killed(d)
		}
		<-done
		settled(t, db, 2*patience)
	}
	for _, b := range all {
		d.eventually(b.kind+" as bought", func() error { return b.asBought(d, m) })
	}
	none(t, db, "credits given or taken twice", `SELECT count(*) FROM (SELECT 1 FROM credit_entries WHERE kind IN ('grant', 'cycle', 'revoke') GROUP BY customer_meter, kind HAVING count(*) > 1) AS twice`)
	none(t, db, "keys too many", `SELECT count(*) - `+fmt.Sprint(buyersEach)+` FROM license_keys`)
}

// putExamples puts the files that the platform's example names.
func putExamples(t testing.TB, d *daemon) {
	t.Helper()
	for i, id := range []string{"95e42275-7df0-4a0b-bcbf-7c73cb018066", "f23fb8ad-e27b-42a3-b868-f345a2f80041"} {
		path := fmt.Sprintf("%s/file-%d.txt", d.dir, i)
		if err := os.WriteFile(path, []byte("a file"), 0o600); err != nil {
			t.Fatal(err)
		}
		d.command("files", "put", "--id", id, path).says(0)
	}
}

// asBought checks that the purchase has what it should.
func (b purchase) asBought(d *daemon, m *merchant) error {
	switch b.kind {
	case "custom":
		return b.asTold(m)
	case "meter_credit":
		want := map[bool]string{false: `"credited_units":1000,"balance":1000.0`, true: `"credited_units":0,"balance":0.0`}[b.ends]
		return b.shows(d, "/v1/customer-meters/?customer_id="+b.customer, want)
	case "feature_flag":
		want := map[bool]string{false: `"enabled":true`, true: `"flags":{}`}[b.ends]
		return b.shows(d, "/v1/customers/"+b.customer+"/state", want)
	case "downloadables":
		var links struct{ Items []struct{ URL string } }
		if err := d.api(http.MethodGet, "/v1/benefit-grants/"+b.grant+"/downloads", &links); err != nil {
			return err
		}
		if n := len(links.Items); n != map[bool]int{false: 2, true: 0}[b.ends] {
			return fmt.Errorf("%d files", n)
		}
	}
	var g grantItem
	if err := d.api(http.MethodGet, "/v1/benefit-grants/"+b.grant, &g); err != nil {
		return err
	}
	if want := map[bool]string{false: "granted", true: "revoked"}[b.ends]; g.State != want {
		return fmt.Errorf("it is %s", g.State)
	}
	return nil
}

func (b purchase) shows(d *daemon, path, want string) error {
	if status, _, text := d.asks(http.MethodGet, path, "", ""); status != http.StatusOK || !strings.Contains(text, want) {
		return fmt.Errorf("%d %s, want %s", status, text, want)
	}
	return nil
}

// asTold checks what the merchant's server has heard: everything, and under one id
// however often.
func (b purchase) asTold(m *merchant) error {
	letters, _ := m.of(b.grant)
	ids := map[string][]string{}
	for _, l := range letters {
		if id := l.Header["webhook-id"]; !slices.Contains(ids[l.Type], id) {
			ids[l.Type] = append(ids[l.Type], id)
		}
	}
	want := map[string]int{"benefit.granted": 1}
	if b.ends {
		want["benefit.revoked"] = 1
	}
	for typ, n := range want {
		if len(ids[typ]) != n {
			return fmt.Errorf("%s came under %d ids, want %d", typ, len(ids[typ]), n)
		}
	}
	if len(ids) != len(want) {
		return fmt.Errorf("told %v", ids)
	}
	return nil
}
