package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sdkHome is a daemon with the provider "here", a sandbox with the given flags,
// and the published client "app" that follows the session "s".
func sdkHome(t *testing.T, flags ...string) (*home, *box, *tsClient) {
	t.Helper()
	h := newHome(t)
	b := h.box(flags...)
	h.must("provider", "add", "here", "--issuer", b.issuer, "--client-id", "sdk")
	h.serve()
	c := h.node()
	c.value("construct", args{"name": "app", "baseUrl": h.url(), "token": h.bearer()})
	c.value("session", args{"client": "app", "name": "s"})
	c.wantFrame("s", args{"v": 1, "type": "replay_complete", "data": args{"replayedCount": 0}}, noFlows)
	return h, b, c
}

// A box is a running sandbox.
type box struct {
	t      *testing.T
	issuer string
}

func (h *home) box(flags ...string) *box {
	h.t.Helper()
	return &box{h.t, h.sandbox(flags...)}
}

// faults replaces the fault plan.
func (b *box) faults(plan string) { b.t.Helper(); b.post("/_sandbox/faults", plan) }

// approve approves as the person would, and deny denies.
func (b *box) approve(code string) {
	b.t.Helper()
	b.post("/_sandbox/approve", `{"user_code":"`+code+`"}`)
}
func (b *box) deny(code string) { b.t.Helper(); b.post("/_sandbox/deny", `{"user_code":"`+code+`"}`) }

func (b *box) post(path, body string) {
	b.t.Helper()
	r, err := http.Post(b.issuer+path, "application/json", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		b.t.Fatalf("the sandbox answered %s to %s %s", r.Status, path, body)
	}
}

// A boxRecord is what the sandbox saw, as far as the tests look at it.
type boxRecord struct {
	DeviceAuthorizations int `json:"device_authorizations"`
	EarlyPolls           int `json:"early_polls"`
	CodesReused          int `json:"codes_reused"`
}

func (b *box) record() boxRecord {
	b.t.Helper()
	r, err := http.Get(b.issuer + "/_sandbox/record")
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close()
	var record boxRecord
	if err := json.NewDecoder(r.Body).Decode(&record); err != nil {
		b.t.Fatal(err)
	}
	return record
}

// wantSame compares two values as JSON has them.
func wantSame(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(plain(t, want), plain(t, got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func plain(t *testing.T, v any) (out any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wantThrown checks an error of the client.
func wantThrown(t *testing.T, got *tsError, status int, message string, body args) {
	t.Helper()
	wantSame(t, "the error of "+message, args{"name": got.Name, "status": got.Status, "message": got.Message, "body": got.Body},
		args{"name": "DaemonHttpError", "status": status, "message": message, "body": body})
}

// noFlows is the state that the client's reducer begins with.
var noFlows = args{"flows": args{}}

func flows(byProvider map[string]any) args { return args{"flows": byProvider} }

// statuses are the statuses of the flows in a state.
func statuses(state map[string]any) args {
	out := args{}
	flows, _ := state["flows"].(map[string]any)
	for provider, flow := range flows {
		out[provider] = flow.(map[string]any)["status"]
	}
	return out
}

// event is a numbered frame; an empty originator is none.
func event(id int, originator, typ string, data args) args {
	frame := args{"id": id, "v": 1, "type": "auth_device_flow_" + typ, "data": data}
	if originator != "" {
		frame["originatorClientId"] = originator
	}
	return frame
}

// wantFrame checks the next frame of a stream and the state after it. When it
// was sent, only a numbered frame tells.
func (c *tsClient) wantFrame(stream string, want args, state args) {
	c.t.Helper()
	got := c.next(stream)
	if meta, ok := got.Frame["_meta"]; ok {
		want = merge(want, args{"_meta": meta})
	} else if want["id"] != nil {
		c.t.Errorf("%v has no _meta", got.Frame)
	}
	wantSame(c.t, fmt.Sprintf("frame %v", want["type"]), got.Frame, want)
	wantSame(c.t, fmt.Sprintf("state after %v", want["type"]), got.State, state)
}

// wantRequests checks what the clients have requested since the last time.
func (c *tsClient) wantRequests(want ...string) {
	c.t.Helper()
	var got []string
	for _, r := range c.requests() {
		got = append(got, r.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// checkPolls checks the times between the looks of awaitCompletion at a flow:
// at first one interval, and another from some look on. Looks of others come in
// between, so that the last gap is what counts.
func (c *tsClient) checkPolls(id string, first, last int64) {
	c.t.Helper()
	var at []int64
	for _, r := range c.requests() {
		if r.String() == "GET /workspace/auth/device-flow/"+id {
			at = append(at, r.At)
		}
	}
	if len(at) < 3 {
		c.t.Fatalf("the client looked %d times", len(at))
	}
	if gap := at[len(at)-1] - at[len(at)-2]; gap < last-50 || gap > last+2000 {
		c.t.Errorf("the last look came after %d ms, want %d", gap, last)
	}
	if total := at[len(at)-1] - at[0]; total < first+last-50 {
		c.t.Errorf("all looks took %d ms", total)
	}
}

func text(v any) string { s, _ := v.(string); return s }

func merge(all ...map[string]any) args {
	out := args{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

// withOptional adds those of names that got has.
func withOptional(want args, got map[string]any, names ...string) args {
	out := merge(want)
	for _, name := range names {
		if v, ok := got[name]; ok {
			out[name] = v
		}
	}
	return out
}
