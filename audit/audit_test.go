package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/audit"
)

var at = time.Date(2026, 11, 21, 10, 20, 30, 400, time.FixedZone("", 3600))

// The lines are those of the contract.
func TestTextLines(t *testing.T) {
	const a, b = "36915e1f-0000-4000-8000-000000000000", "7fbd2488-0000-4000-8000-000000000000"
	tests := map[string]struct {
		r    audit.Record
		want string
	}{
		"started": {
			audit.Record{Action: audit.ActionLogin, Key: "qwen-oauth", LoginID: a, ClientID: "cli-A", Status: audit.StatusStarted, ExpiresIn: 15 * time.Minute},
			`[serve] auth.device-flow: provider=qwen-oauth deviceFlowId=36915e1f... clientId=cli-A status=started expiresInMs=900000`,
		},
		"failed": {
			audit.Record{Action: audit.ActionLogin, Key: "qwen-oauth", LoginID: b, Status: audit.StatusFailed, ErrorKind: "access_denied", Hint: "Qwen IdP returned access_denied"},
			`[serve] auth.device-flow: provider=qwen-oauth deviceFlowId=7fbd2488... clientId=- status=failed errorKind=access_denied hint="Qwen IdP returned access_denied"`,
		},
		"expired": {
			audit.Record{Action: audit.ActionLogin, Key: "qwen-oauth", LoginID: b, ClientID: "x", Status: audit.StatusExpired, ErrorKind: "expired_token"},
			`[serve] auth.device-flow: provider=qwen-oauth deviceFlowId=7fbd2488... clientId=x status=expired errorKind=expired_token`,
		},
		"authorized": {
			audit.Record{Action: audit.ActionLogin, Key: "github/work", LoginID: b, ClientID: "x", Status: audit.StatusAuthorized},
			`[serve] auth.device-flow: provider=github/work deviceFlowId=7fbd2488... clientId=x status=authorized`,
		},
		"take-over": {
			audit.Record{Action: audit.ActionLogin, Key: "qwen-oauth", LoginID: b, ClientID: "sdk-B", Status: audit.StatusStarted, Hint: "take-over (per-provider singleton; original initiator=sdk-A)"},
			`[serve] auth.device-flow: provider=qwen-oauth deviceFlowId=7fbd2488... clientId=sdk-B status=started hint="take-over (per-provider singleton; original initiator=sdk-A)"`,
		},
		"already past its expiry": {
			audit.Record{Action: audit.ActionLogin, Key: "k", LoginID: "short", Status: audit.StatusStarted, ExpiresIn: -time.Second},
			`[serve] auth.device-flow: provider=k deviceFlowId=short clientId=- status=started expiresInMs=0`,
		},
		"refresh": {
			audit.Record{Action: audit.ActionRefresh, Key: "github", Status: audit.StatusRefreshed, Generation: 4},
			`[serve] auth.refresh: provider=github clientId=- status=refreshed generation=4`,
		},
		"values that try to look like fields or lines": {
			audit.Record{Action: audit.ActionLogin, Key: "a status=authorized", LoginID: "b\nc", ClientID: "\x1b[2J", Status: audit.StatusFailed, ErrorKind: "<x>", Hint: "say \"hi\"\r\n[serve] auth"},
			`[serve] auth.device-flow: provider="a status=authorized" deviceFlowId="b\\u{a}c" clientId="\\u{1b}[2J" status=failed errorKind="<x>" hint="say \"hi\"\\u{d}\\u{a}[serve] auth"`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := (&audit.Writer{Text: &out}).Record(tt.r); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want+"\n", out.String()); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

// A hint has 1024 characters at most, by the contract.
func TestLongHintsAreCut(t *testing.T) {
	for n, want := range map[int]string{1024: strings.Repeat("ä", 1024), 1025: strings.Repeat("ä", 1023) + "…"} {
		var out bytes.Buffer
		if err := (&audit.Writer{JSON: &out}).Record(audit.Record{Hint: strings.Repeat("ä", n)}); err != nil {
			t.Fatal(err)
		}
		var got struct{ Hint string }
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Hint != want {
			t.Errorf("a hint of %d characters became one of %d, %v", n, len([]rune(got.Hint)), err)
		}
	}
}

func TestJSONLines(t *testing.T) {
	var out bytes.Buffer
	w := &audit.Writer{JSON: &out}
	records := []audit.Record{
		{Time: at, Action: audit.ActionLogin, Key: "github", LoginID: "id", ClientID: "c", Status: audit.StatusFailed, ErrorKind: "access_denied", Hint: "a\nb & c"},
		{Time: at, Action: audit.ActionLogin, Key: "github", LoginID: "id", Status: audit.StatusThrottled, Interval: 10 * time.Second},
		{Time: at, Action: audit.ActionLogin, Key: "github", LoginID: "id", Status: audit.StatusStarted, ExpiresIn: time.Minute, TraceID: "4bf92f3577b34da6a3ce929d0e0e4736"},
	}
	for _, r := range records {
		if err := w.Record(r); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"time":"2026-11-21T09:20:30.0000004Z","action":"login","status":"failed","key":"github","login_id":"id","client_id":"c","error_kind":"access_denied","hint":"a\\u{a}b & c"}
{"time":"2026-11-21T09:20:30.0000004Z","action":"login","status":"throttled","key":"github","login_id":"id","interval_ms":10000}
{"time":"2026-11-21T09:20:30.0000004Z","action":"login","status":"started","key":"github","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","login_id":"id","expires_in_ms":60000}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestThrottledHasNoTextLine(t *testing.T) {
	var text, lines bytes.Buffer
	w := &audit.Writer{Text: &text, JSON: &lines}
	if err := w.Record(audit.Record{Action: audit.ActionLogin, Status: audit.StatusThrottled}); err != nil {
		t.Fatal(err)
	}
	if text.Len() != 0 || lines.Len() == 0 {
		t.Errorf("text = %q, JSON = %q, want only JSON", text.String(), lines.String())
	}
}

func TestTimeDefaultsToThePresent(t *testing.T) {
	var out bytes.Buffer
	before := time.Now().Add(-time.Second)
	if err := (&audit.Writer{JSON: &out}).Record(audit.Record{Action: audit.ActionLogout}); err != nil {
		t.Fatal(err)
	}
	var got audit.Record
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Time.Before(before) || got.Time.After(time.Now()) {
		t.Errorf("time = %v", got.Time)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestAFailingSinkDoesNotTakeTheOtherDown(t *testing.T) {
	boom := errors.New("boom")
	var out bytes.Buffer
	err := (&audit.Writer{Text: failing{boom}, JSON: &out}).Record(audit.Record{Action: audit.ActionLogout})
	if !errors.Is(err, boom) {
		t.Errorf("error = %v, want the sink's", err)
	}
	if out.Len() == 0 {
		t.Error("the other sink got nothing")
	}
}

func TestNilWriterDiscards(t *testing.T) {
	var w *audit.Writer
	if err := w.Record(audit.Record{}); err != nil {
		t.Error(err)
	}
}

func TestConcurrentRecordsStayWholeLines(t *testing.T) {
	var out bytes.Buffer
	w := &audit.Writer{Text: &out}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := w.Record(audit.Record{Action: audit.ActionRefresh, Key: fmt.Sprint("k", i), Status: audit.StatusRefreshed}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 20 {
		t.Fatalf("got %d lines, want 20", len(lines))
	}
	for _, l := range lines {
		if !strings.HasPrefix(l, "[serve] auth.refresh: provider=k") || !strings.HasSuffix(l, " status=refreshed") {
			t.Errorf("torn line %q", l)
		}
	}
}

// A record is words, times and numbers. Whoever adds a field of another kind
// has to think about secrets first.
func TestRecordHasNoPlaceForASecret(t *testing.T) {
	allowed := map[string]bool{
		"Time": true, "Action": true, "Status": true, "Key": true, "TraceID": true, "LoginID": true, "ClientID": true,
		"ErrorKind": true, "Hint": true, "ExpiresIn": true, "Interval": true, "Generation": true,
	}
	for f := range reflect.TypeFor[audit.Record]().Fields() {
		if !allowed[f.Name] {
			t.Errorf("new field %s of type %v", f.Name, f.Type)
		}
	}
}
