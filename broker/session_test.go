package broker_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/sandbox"
	"github.com/usherauth/usher/session"
)

// told returns the data lines that a session shows of all that happened, with
// the flow's id and the account's label made the same.
func told(t *testing.T, b *broker.Broker, sessionID, flowID string) (got []string) {
	t.Helper()
	synctest.Wait()
	sub, err := b.Sessions().Subscribe(sessionID, session.Options{LastEventID: "0"})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	alias := regexp.MustCompile(`"acct-[a-z0-9]{6}"`)
	for frame, _ := sub.Take(); frame != nil; frame, _ = sub.Take() {
		_, data, _ := strings.Cut(string(frame), "data: ")
		if strings.Contains(data, api.SessionReplayComplete) {
			break
		}
		data = strings.ReplaceAll(strings.TrimSuffix(data, "\n\n"), flowID, "ID")
		got = append(got, alias.ReplaceAllString(data, `"acct-x"`))
	}
	return got
}

// Wire-protocol section 3.3, each of its rows. A bubble's clock begins at
// 946684800000.
func TestSessionsAreToldOfLogins(t *testing.T) {
	const (
		from    = `,"originatorClientId":"cli-A"`
		started = `{"id":1,"v":1,"type":"auth_device_flow_started","data":{"deviceFlowId":"ID","providerId":"sandbox","expiresAt":946684860000},"originatorClientId":"cli-A","_meta":{"serverTimestamp":946684800000}}`
	)
	tests := map[string]struct {
		faults sandbox.Faults
		cause  func(t *testing.T, w *world, b *broker.Broker, flow api.DeviceFlowStarted)
		want   []string
	}{
		"authorized": {nil, func(t *testing.T, w *world, b *broker.Broker, flow api.DeviceFlowStarted) {
			if err := w.as.Approve(flow.UserCode, "alice"); err != nil {
				t.Error(err)
			}
		}, []string{started, `{"id":2,"v":1,"type":"auth_device_flow_authorized","data":{"deviceFlowId":"ID","providerId":"sandbox","expiresAt":946688405000,"accountAlias":"acct-x"},"originatorClientId":"cli-A","_meta":{"serverTimestamp":946684805000}}`}},
		"slow_down, then expired": {sandbox.Faults{{Endpoint: "token.device", Calls: []int{1}, Do: sandbox.Action{SlowDown: true}}}, nil, []string{
			started,
			`{"id":2,"v":1,"type":"auth_device_flow_throttled","data":{"deviceFlowId":"ID","intervalMs":10000}` + from + `,"_meta":{"serverTimestamp":946684805000}}`,
			`{"id":3,"v":1,"type":"auth_device_flow_failed","data":{"deviceFlowId":"ID","errorKind":"expired_token","hint":"device-flow expired without authorization"}` + from + `,"_meta":{"serverTimestamp":946684860000}}`,
		}},
		"429 without slow_down": {sandbox.Faults{{Endpoint: "token.device", Do: sandbox.Action{Status: 429, Body: "{}"}}}, nil, []string{
			started,
			`{"id":2,"v":1,"type":"auth_device_flow_failed","data":{"deviceFlowId":"ID","errorKind":"expired_token","hint":"device-flow expired without authorization"}` + from + `,"_meta":{"serverTimestamp":946684860000}}`,
		}},
		"denied": {nil, func(t *testing.T, w *world, b *broker.Broker, flow api.DeviceFlowStarted) {
			if err := w.as.Deny(flow.UserCode); err != nil {
				t.Error(err)
			}
		}, []string{started, `{"id":2,"v":1,"type":"auth_device_flow_failed","data":{"deviceFlowId":"ID","errorKind":"access_denied","hint":"Identity provider returned access_denied"}` + from + `,"_meta":{"serverTimestamp":946684805000}}`}},
		"not stored": {nil, func(t *testing.T, w *world, b *broker.Broker, flow api.DeviceFlowStarted) {
			w.store.Intercept(func(op string, _ credential.Key) error {
				if op == "Settle" {
					return errors.New("disk full")
				}
				return nil
			})
			if err := w.as.Approve(flow.UserCode, "alice"); err != nil {
				t.Error(err)
			}
		}, []string{started, `{"id":2,"v":1,"type":"auth_device_flow_failed","data":{"deviceFlowId":"ID","errorKind":"persist_failed","hint":"credentials could not be written to the daemon filesystem — check disk space and permissions"}` + from + `,"_meta":{"serverTimestamp":946684835000}}`}},
		"cancelled by another": {nil, func(t *testing.T, w *world, b *broker.Broker, flow api.DeviceFlowStarted) {
			for range 2 {
				if err := b.CancelDeviceFlow(t.Context(), flow.DeviceFlowID, "cli-B"); err != nil {
					t.Error(err)
				}
			}
		}, []string{started, `{"id":2,"v":1,"type":"auth_device_flow_cancelled","data":{"deviceFlowId":"ID"},"originatorClientId":"cli-B","_meta":{"serverTimestamp":946684800000}}`}},
		"cancelled by nobody in particular": {nil, func(t *testing.T, w *world, b *broker.Broker, flow api.DeviceFlowStarted) {
			if err := b.CancelDeviceFlow(t.Context(), flow.DeviceFlowID, ""); err != nil {
				t.Error(err)
			}
		}, []string{started, `{"id":2,"v":1,"type":"auth_device_flow_cancelled","data":{"deviceFlowId":"ID"},"_meta":{"serverTimestamp":946684800000}}`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := sandbox.Config{Approve: sandbox.ApproveManual, CodeLifetime: time.Minute, TokenLifetime: time.Hour, Interval: 5, Faults: tt.faults}
			inWorld(t, cfg, func(t *testing.T, w *world) {
				b := w.broker()
				s, err := b.Sessions().Create("/work")
				if err != nil {
					t.Fatal(err)
				}
				flow, _, err := b.StartDeviceFlow(t.Context(), api.StartLogin{Key: "sandbox", ClientID: "cli-A"})
				if err != nil {
					t.Fatal(err)
				}
				if tt.cause != nil {
					tt.cause(t, w, b, flow)
				}
				time.Sleep(10 * time.Minute)
				got := told(t, b, s.ID, flow.DeviceFlowID)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Nobody is named for a login that no client of the compatible surface
// started, and no code or link gets into a stream.
func TestSessionsAreToldOfNativeLogins(t *testing.T) {
	inWorld(t, sandbox.Config{TokenLifetime: time.Hour}, func(t *testing.T, w *world) {
		b := w.broker()
		s, err := b.Sessions().Create("/work")
		if err != nil {
			t.Fatal(err)
		}
		l := w.login(b, "sandbox/work")
		want := []string{
			`{"id":1,"v":1,"type":"auth_device_flow_started","data":{"deviceFlowId":"ID","providerId":"sandbox/work","expiresAt":946685400000},"_meta":{"serverTimestamp":946684800000}}`,
			`{"id":2,"v":1,"type":"auth_device_flow_authorized","data":{"deviceFlowId":"ID","providerId":"sandbox/work","expiresAt":946688403000,"accountAlias":"acct-x"},"_meta":{"serverTimestamp":946684803000}}`,
		}
		if diff := cmp.Diff(want, told(t, b, s.ID, l.ID)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// Both logs tell of logins that happen side by side in one order.
func TestSessionsAreToldInTheOrderOfTheNativeLog(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual, CodeLifetime: time.Hour}, func(t *testing.T, w *world) {
		b := w.broker()
		s, err := b.Sessions().Create("/work")
		if err != nil {
			t.Fatal(err)
		}
		native := b.Events().Subscribe("")
		done := make(chan error)
		for _, key := range []string{"sandbox/a", "sandbox/b", "sandbox/c", "sandbox/d"} {
			go func() {
				flow, _, err := b.StartDeviceFlow(t.Context(), api.StartLogin{Key: key})
				if err == nil {
					err = b.CancelDeviceFlow(t.Context(), flow.DeviceFlowID, "")
				}
				done <- err
			}()
		}
		var want []string
		for range 4 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		for range 8 {
			e, err := native.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, strings.TrimPrefix(e.Type, "login.")+" "+e.Login.ID)
		}
		var got []string
		form := regexp.MustCompile(`auth_device_flow_(\w+)","data":\{"deviceFlowId":"([^"]+)"`)
		for _, data := range told(t, b, s.ID, "no flow") {
			m := form.FindStringSubmatch(data)
			got = append(got, m[1]+" "+m[2])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order (-native +session):\n%s", diff)
		}
	})
}
