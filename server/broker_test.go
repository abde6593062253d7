package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential/memstore"
	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/sandbox"
	"github.com/usherauth/usher/server"
)

// onBroker runs f in a bubble with a server on a broker that logs in to a
// sandbox where nobody approves, and what the audit log says meanwhile.
func onBroker(t *testing.T, f func(t *testing.T, s *server.Server, audited func() []string)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		as, err := sandbox.New(sandbox.Config{Issuer: "http://127.0.0.1:9400", Approve: sandbox.ApproveManual, Interval: 5})
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		b := broker.New(broker.Config{
			Store: memstore.New(), Providers: provider.Open(dir, nil),
			HTTP:  &http.Client{Transport: &memhttp.Transport{Handler: as}},
			Audit: &audit.Writer{JSON: &log},
		})
		defer func() {
			if err := b.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		f(t, newServer(t, server.Config{Broker: b}), func() (lines []string) {
			for line := range strings.Lines(log.String()) {
				var r audit.Record
				if err := json.Unmarshal([]byte(line), &r); err != nil {
					t.Fatal(err)
				}
				if r.TraceID == "" {
					t.Errorf("a record without the trace of its login: %s", line)
				}
				lines = append(lines, r.Status+" by "+r.ClientID)
			}
			return lines
		})
	})
}

// Whose login it is, through the real broker and back: who may see the code of
// whom, who may cancel, and what of it is in the audit log.
func TestCallersOnTheRealBroker(t *testing.T) {
	onBroker(t, func(t *testing.T, s *server.Server, audited func() []string) {
		tcp, socket := s.Handler(tcpAddr, false), s.Handler(unixAddr, true)
		ask := func(client, target, body string) (int, api.Login) {
			t.Helper()
			method, path, _ := strings.Cut(target, " ")
			h := tcp
			r := send(method, path, body)
			if client == "owner" {
				h, client, r.Host = socket, "", "usher"
			}
			r.Header.Set("X-Qwen-Client-Id", client)
			w := serve(h, r)
			var l api.Login
			if err := json.Unmarshal(w.Body.Bytes(), &l); w.Code < 300 && err != nil {
				t.Fatalf("%s: %d %s", target, w.Code, w.Body)
			}
			return w.Code, l
		}
		status, started := ask("a", "POST /v1/logins", `{"key":"sandbox"}`)
		if status != 201 || started.UserCode == "" {
			t.Fatalf("started with %d %+v", status, started)
		}
		path := "/v1/logins/" + started.ID
		for _, step := range []struct {
			client, target string
			status         int
			code           bool
		}{
			{"a", "GET " + path, 200, true},
			{"b", "GET " + path, 200, false},
			{"", "GET " + path, 200, false},
			{"owner", "GET " + path, 200, true},
			{"b", "POST /v1/logins", 200, false},
			{"a", "POST /v1/logins", 200, true},
			{"owner", "POST /v1/logins", 200, true},
			{"b", "GET " + path + "?reveal=code&wait=1s", 200, true},
			{"owner", "GET " + path + "?reveal=code", 200, true},
			{"a", "GET " + path + "?reveal=code", 200, true},
			{"b", "DELETE " + path, 403, false},
			{"", "DELETE " + path, 403, false},
			{"b", "DELETE " + path + "?force=true", 200, false},
			{"b", "GET " + path + "?reveal=code", 200, false},
		} {
			status, l := ask(step.client, step.target, `{"key":"sandbox"}`)
			if status != step.status || (l.UserCode == started.UserCode) != step.code || (l.VerificationURI != "") != step.code {
				t.Errorf("%s by %q: %d %+v, want %d, code %v", step.target, step.client, status, l, step.status, step.code)
			}
		}
		// Who joined is told once each; the owner has no client id.
		want := []string{"started by a", "started by b", "started by ", "revealed by b", "revealed by ", "cancelled by b"}
		if diff := cmp.Diff(want, audited()); diff != "" {
			t.Errorf("audit log (-want +got):\n%s", diff)
		}

		// A client id of one surface is nobody on the other.
		w := serve(tcp, post(`{"providerId":"sandbox"}`, "X-Qwen-Client-Id", "a"))
		var flow api.DeviceFlowStarted
		if err := json.Unmarshal(w.Body.Bytes(), &flow); err != nil || w.Code != 201 || flow.UserCode == "" || flow.InitiatorClientID != "a" {
			t.Fatalf("device flow: %d %s", w.Code, w.Body)
		}
		for client, code := range map[string]bool{"a": false, "": false, "owner": true} {
			if _, l := ask(client, "GET /v1/logins/"+flow.DeviceFlowID, ""); (l.UserCode != "") != code {
				t.Errorf("a device flow on /v1, for %q: %+v", client, l)
			}
		}
		if status, l := ask("owner", "DELETE /v1/logins/"+flow.DeviceFlowID, ""); status != 200 || l.Status != api.LoginCancelled {
			t.Errorf("cancel by the owner: %d %+v", status, l)
		}
		_, native := ask("owner", "POST /v1/logins", `{"key":"sandbox"}`)
		for _, client := range []string{"", "owner", "v1", "a"} {
			w := serve(tcp, authorized("GET", "/workspace/auth/device-flow/"+native.ID, "", "X-Qwen-Client-Id", client))
			if w.Code != 200 || strings.Contains(w.Body.String(), native.UserCode) || strings.Contains(w.Body.String(), "initiatorClientId") {
				t.Errorf("the owner's login on the compatible surface, for %q: %d %s", client, w.Code, w.Body)
			}
		}
	})
}

// Row 10, the rows that need a broker: a start and its repetition, and a flow
// that is cancelled twice.
func TestContractOnTheRealBroker(t *testing.T) {
	onBroker(t, func(t *testing.T, s *server.Server, audited func() []string) {
		h := s.Handler(tcpAddr, false)
		first := serve(h, post(`{"providerId":"sandbox"}`))
		again := serve(h, post(`{"providerId":"sandbox"}`))
		if want := strings.Replace(first.Body.String(), `"attached":false`, `"attached":true`, 1); first.Code != 201 || again.Code != 200 || again.Body.String() != want {
			t.Errorf("got %d %s\nand %d %s", first.Code, first.Body, again.Code, again.Body)
		}
		var flow api.DeviceFlowStarted
		if err := json.Unmarshal(first.Body.Bytes(), &flow); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if w := serve(h, authorized("DELETE", "/workspace/auth/device-flow/"+flow.DeviceFlowID, "")); w.Code != 204 || w.Body.Len() != 0 {
				t.Errorf("cancel: %d %s", w.Code, w.Body)
			}
		}
		if diff := cmp.Diff([]string{"started by ", "cancelled by "}, audited()); diff != "" {
			t.Errorf("audit log (-want +got):\n%s", diff)
		}
	})
}
