package downloadables

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/fulfillers"
	"fulfilld/fulfillers/fulfillertest"
	"fulfilld/grant"
	"fulfilld/internal/secret"
)

const (
	fileA = "a5e42275-7df0-4a0b-bcbf-7c73cb018066"
	fileB = "b23fb8ad-e27b-42a3-b868-f345a2f80041"
	sampl = "g1.downloadables"
)

func sample(params string) grant.Fulfilment {
	return grant.Fulfilment{
		ID: sampl, Kind: "downloadables",
		Grant:    grant.Grant{ID: "g1", BenefitID: "b1", CustomerID: "c1"},
		Customer: grant.Customer{ID: "c1", Email: "ada@example.com"},
		Target:   grant.Target{Kind: "downloadables", Params: json.RawMessage(params), Managed: true},
	}
}

func TestDownloadablesKeepTheContract(t *testing.T) {
	fulfillertest.Run(t, fulfillertest.Harness{
		Local: true,
		Bad: map[string]string{
			"nothing":               `{}`,
			"no file":               `{"files":[]}`,
			"a name":                `{"files":["app.zip"]}`,
			"a path":                `{"files":["../../etc/passwd"]}`,
			"a number":              `{"files":7}`,
			"numbers":               `{"files":[7]}`,
			"an archived name":      `{"files":["` + fileA + `"],"archived":{"app.zip":true}}`,
			"a word for archived":   `{"files":["` + fileA + `"],"archived":{"` + fileA + `":"yes"}}`,
			"fewer than none":       `{"files":["` + fileA + `"],"max_downloads":-1}`,
			"half a download":       `{"files":["` + fileA + `"],"max_downloads":1.5}`,
			"no object":             `["` + fileA + `"]`,
			"more than is sensible": `{"files":"` + strings.Repeat(fileA+",", mostFiles+1) + `"}`,
		},
		New: func(*testing.T) fulfillertest.World {
			m := newMemory(fileA, fileB)
			return fulfillertest.World{
				Fulfiller:  New(Config{}, m),
				Fulfilment: sample(`{"files":["` + fileA + `","` + fileB + `"],"archived":{"` + fileB + `":true}}`),
				Count:      func() int { return m.times(sampl, fileA) + m.times(sampl, fileB) },
				Faults: fulfillertest.Faults{
					ServerError: func() {
						m.breakWith(func(context.Context) error { return errors.New("disk full") })
					},
					Hang: func() { m.breakWith(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }) },
					Heal: func() { m.breakWith(nil) },
				},
			}
		},
	})
}

func TestParametersNameFiles(t *testing.T) {
	for params, want := range map[string][]string{
		`{"files":["` + fileA + `"]}`:                                                      {fileA},
		`{"files":["` + fileB + `","` + fileA + `"],"archived":{}}`:                        {fileB, fileA},
		`{"files":["` + fileA + `","` + strings.ToUpper(fileA) + `"],"archived":null}`:     {fileA},
		`{"files":["` + fileA + `","` + fileB + `"],"archived":{"` + fileA + `":true}}`:    {fileB},
		`{"files":["` + fileA + `"],"archived":{"` + fileA + `":true}}`:                    nil,
		`{"files":["` + fileA + `"],"archived":{"` + strings.ToUpper(fileA) + `":true}}`:   nil,
		`{"files":["` + fileA + `","` + fileB + `"],"archived":{"` + fileB + `":false}}`:   {fileA, fileB},
		`{"files":"` + fileA + `, ` + fileB + `,"}`:                                        {fileA, fileB},
		`{"files":["` + fileA + `"],"archived":{"` + fileB + `":true},"of_tomorrow":true}`: {fileA},
	} {
		m := newMemory(fileA, fileB)
		if _, err := New(Config{}, m).Grant(t.Context(), sample(params)); err != nil || !slices.Equal(m.given[sampl], want) {
			t.Errorf("%s gives %v, want %v: %v", params, m.given[sampl], want, err)
		}
	}
}

func TestPropertiesAreThePlatformsWithNames(t *testing.T) {
	got, err := New(Config{}, newMemory(fileA, fileB)).Grant(t.Context(), sample(`{"files":["`+fileB+`","`+fileA+`"]}`))
	want := grant.Properties{
		"files":         []string{fileB, fileA},
		"downloadables": []map[string]string{{"id": fileB, "name": "file b"}, {"id": fileA, "name": "file a"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestAMissingFileWaitsOnTheMerchantAndTheOthersDoNot(t *testing.T) {
	m := newMemory(fileA)
	d := New(Config{}, m)
	f := sample(`{"files":["` + fileA + `","` + fileB + `"]}`)
	got, err := d.Grant(t.Context(), f)
	e := fulfillers.Classify(err)
	if e == nil || e.Class != fulfillers.ClassActionRequired || e.Code != grant.FileMissingCode {
		t.Fatalf("error %v", err)
	}
	for _, part := range []string{"waiting on the merchant", "`fulfilld files put --id " + fileB + " FILE`"} {
		if !strings.Contains(e.Text, part) {
			t.Errorf("%q is not in %q", part, e.Text)
		}
	}
	if diff := cmp.Diff([]string{fileA}, got["files"]); diff != "" {
		t.Error(diff)
	}
	m.here = append(m.here, fileB)
	if _, err := d.Grant(t.Context(), f); err != nil {
		t.Error(err)
	}
}

func TestATextNamesAFewOfManyMissingFiles(t *testing.T) {
	var all []string
	for i := range 30 {
		all = append(all, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
	}
	text := waiting(all)
	if !strings.HasSuffix(text, "and 25 more") || len(text) > 600 {
		t.Error(text)
	}
}

func TestTheBenefitsOwnLimitIsKept(t *testing.T) {
	m := newMemory(fileA)
	if _, err := New(Config{MaxDownloads: 9}, m).Grant(t.Context(), sample(`{"files":["`+fileA+`"],"max_downloads":3}`)); err != nil || m.most == nil || *m.most != 3 {
		t.Errorf("%v, %v", m.most, err)
	}
	if _, err := New(Config{MaxDownloads: 9}, m).Grant(t.Context(), sample(`{"files":["`+fileA+`"]}`)); err != nil || m.most != nil {
		t.Errorf("%v, %v; the config's counts when a link is used", m.most, err)
	}
}

func TestTheSectionIsChecked(t *testing.T) {
	for _, tt := range []struct {
		c    Config
		says string // empty: fine
	}{
		{Config{LinkLifetime: time.Hour}, ""},
		{Config{LinkLifetime: time.Hour, Store: "s3://files", Region: "eu-central-1", MaxDownloads: 5}, ""},
		{Config{LinkLifetime: time.Hour, Region: "eu-central-1"}, "store: is no s3://BUCKET"},
		{Config{LinkLifetime: time.Hour, Store: "file://data", SecretAccessKey: secret.New("a-secret")}, "store: is no s3://BUCKET"},
		{Config{LinkLifetime: time.Hour, Store: "data"}, "store: must be"},
		{Config{LinkLifetime: time.Second}, "link_lifetime: must be 1m to 7d"},
		{Config{LinkLifetime: 8 * 24 * time.Hour}, "link_lifetime: must be 1m to 7d"},
		{Config{LinkLifetime: time.Hour, MaxDownloads: -1}, "max_downloads: must be"},
	} {
		err := tt.c.check()
		if (err == nil) != (tt.says == "") || err != nil && (!strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "a-secret")) {
			t.Errorf("%+v: %v, want %q", tt.c, err, tt.says)
		}
	}
}

func TestAProbeAsksS3Alone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	away := New(Config{Store: "s3://files", Endpoint: "http://127.0.0.1:1", AccessKeyID: "id", SecretAccessKey: secret.New("a-secret-access-key")}, nil)
	if err := away.Probe(ctx, nil); err == nil || strings.Contains(err.Error(), "a-secret") || !strings.Contains(err.Error(), "s3://files") {
		t.Errorf("an S3 that is away: %v", err)
	}
	if err := away.Probe(ctx, json.RawMessage(`{}`)); err != nil {
		t.Errorf("a benefit: %v", err)
	}
	if err := New(Config{}, nil).Probe(ctx, nil); err != nil {
		t.Errorf("a directory: %v", err)
	}
}
