package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEventsAreListedShownAndReplayed(t *testing.T) {
	t.Parallel()
	item := `"id":"msg_1","source":"polar","type":"order.paid","occurred_at":"` + ago(time.Hour) + `","received_at":"` + ago(time.Hour) + `","state":"failed","error":"no id\u0007"`
	o := newOffice(t, map[string]answer{
		"GET /v1/events/?limit=20&page=1&state=failed&type=order.paid": {200, `{"items":[{` + item + `}],"pagination":{"total_count":1,"max_page":1}}`},
		"GET /v1/events/msg_1":         {200, `{` + item + `,"body":{"type":"order.paid","data":{"name":"a` + "\u009b" + `b"}}}`},
		"GET /v1/events/msg_2":         {200, `{` + item + `,"body":null}`},
		"POST /v1/events/msg_1/replay": {200, `{"replayed":1}`},
		"POST /v1/events/replay":       {200, `{"replayed":7}`},
	})
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"events", "list", "--state", "failed", "--type", "order.paid"}, []string{"EVENT  TYPE        STATE   RECEIVED  WHY\n", "msg_1  order.paid  failed  1h ago    no id\n", "Page 1 of 1, 1 in all."}},
		{[]string{"events", "show", "msg_1"}, []string{"Type      order.paid\n", "Why       no id\n", "{\n  \"type\": \"order.paid\",\n  \"data\": {\n    \"name\": \"a b\"\n  }\n}\n"}},
		{[]string{"events", "show", "msg_2"}, []string{"Its body is past retention."}},
		{[]string{"events", "replay", "msg_1"}, []string{"1 will be applied again"}},
		{[]string{"events", "replay", "--failed"}, []string{"7 will be applied again"}},
	} {
		out, err := o.say(t, tt.args...)
		if err != nil {
			t.Errorf("%q: %v", tt.args, err)
		}
		for _, want := range tt.want {
			if !strings.Contains(out, want) {
				t.Errorf("%q: %s\ndoes not say %q", tt.args, out, want)
			}
		}
	}
}

func TestCustomersAreFoundAndShownWithTheirGrants(t *testing.T) {
	t.Parallel()
	customer := `{"id":"` + someID + `","email":"ada@example.com","name":"Ada","external_id":null,"created_at":"` + ago(time.Hour) + `","deleted_at":null}`
	o := newOffice(t, map[string]answer{
		"GET /v1/customers/?limit=20&page=1&query=ada%40":              {200, `{"items":[` + customer + `],"pagination":{"total_count":1,"max_page":1}}`},
		"GET /v1/customers/" + someID:                                  {200, customer},
		"GET /v1/benefit-grants/?customer_id=" + someID + "&limit=100": {200, `{"items":[` + grantJSON("granted", `"due_at":null`) + `],"pagination":{"total_count":3,"max_page":1}}`},
	})
	out, err := o.say(t, "customers", "list", "ada@")
	want := "CUSTOMER                              E-MAIL           NAME  EXTERNAL ID  CREATED\n" +
		someID + "  ada@example.com  Ada   -            1h ago\nPage 1 of 1, 1 in all.\n"
	if diff := cmp.Diff(want, out); diff != "" || err != nil {
		t.Error(diff, err)
	}
	out, err = o.say(t, "customers", "show", someID)
	for _, want := range []string{"E-mail    ada@example.com\n", "GRANT  ", "granted  granted  Source code", "And 2 older: `fulfilld grants list --customer " + someID} {
		if !strings.Contains(out, want) || err != nil {
			t.Errorf("%v: %s\ndoes not say %q", err, out, want)
		}
	}
}

func TestAlarmsSayWhatToDo(t *testing.T) {
	t.Parallel()
	o := newOffice(t, map[string]answer{"GET /v1/alarms/": {200, `{"items":[
		{"code":"redis_down","text":"Redis does not answer","next":"Start it.","since":"` + ago(61*time.Minute) + `","last":"` + ago(2*time.Minute) + `","count":30}],
		"pagination":{"total_count":1,"max_page":1}}`}})
	want := "redis_down, raised 1h ago, last 2m ago, 30 times\n  Redis does not answer\n  Next: Start it.\n"
	if out, err := o.say(t, "alarms"); out != want || err != nil {
		t.Errorf("%v: %s", err, out)
	}
	o.answers["GET /v1/alarms/"] = answer{200, `{"items":[],"pagination":{"total_count":0,"max_page":0}}`}
	if out, err := o.say(t, "alarms"); out != "No alarms.\n" || err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestTheDaemonIsFoundByFlagEnvironmentAndConfig(t *testing.T) {
	t.Parallel()
	o := newOffice(t, map[string]answer{"GET /v1/alarms/": {200, `{"items":[]}`}})
	data := t.TempDir()
	nobody, database := "http://127.0.0.1:1", "FULFILLD_DATABASE_URL=sqlite://"+filepath.Join(data, "fulfilld.db")
	config := filepath.Join(t.TempDir(), "fulfilld.yaml")
	write(t, config, "admin: { listen: \""+strings.TrimPrefix(o.URL, "http://")+"\" }\n")
	alarms := func(environ []string, args ...string) error {
		var out bytes.Buffer
		return run(t.Context(), append([]string{"alarms", "--config", config}, args...), append(environ, database), &out, &out)
	}
	if err := alarms(nil); codeOf(err) != 4 || !strings.Contains(err.Error(), "admin.token") {
		t.Errorf("without a token: %v", err)
	}
	write(t, filepath.Join(data, "admin.token"), officeToken+"\n")
	for name, err := range map[string]error{
		"config":                        alarms(nil),
		"environment":                   alarms([]string{"FULFILLD_ADMIN_URL=" + o.URL, "FULFILLD_ADMIN_LISTEN=127.0.0.1:1"}),
		"flag over environment":         alarms([]string{"FULFILLD_ADMIN_URL=" + nobody}, "--admin-url", o.URL),
		"environment over the config":   not4(alarms([]string{"FULFILLD_ADMIN_URL=" + nobody})),
		"configured token over the own": not4(alarms([]string{"FULFILLD_ADMIN_TOKEN=another-token-of-24-bytes"})),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// not4 turns the wanted code 4 into success.
func not4(err error) error {
	if codeOf(err) == 4 {
		return nil
	}
	return os.ErrInvalid
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
