package broker_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/sandbox"
)

const auditTrace = "0af7651916cd43dd8448eb211c80319c"

// A slow_down is in the JSON log alone, with the interval that it leads to.
func TestAuditOfASlowDown(t *testing.T) {
	faults := sandbox.Faults{{Endpoint: "token.device", Calls: []int{1}, Do: sandbox.Action{SlowDown: true}}}
	inWorld(t, sandbox.Config{Interval: 2, Faults: faults}, func(t *testing.T, w *world) {
		var lines paper
		b := w.broker(func(c *broker.Config) { c.Audit = &audit.Writer{Text: &w.audit, JSON: &lines} })
		w.login(b, "sandbox")
		synctest.Wait() // the state is there before its line
		var throttled []string
		for line := range strings.Lines(lines.String()) {
			if strings.Contains(line, `"status":"throttled"`) {
				throttled = append(throttled, line)
			}
		}
		if len(throttled) != 1 || !strings.Contains(throttled[0], `"interval_ms":7000`) {
			t.Errorf("lines of the slow_down: %q", throttled)
		}
		if text := w.audit.String(); strings.Contains(text, "throttled") || strings.Count(text, "\n") != 2 {
			t.Errorf("text:\n%s", text)
		}
	})
}

// The lines of the compatible surface's audit log, reference 4.2 to 4.5 and 6:
// one per transition, with its attribution and its hint.
func TestAuditLinesOfALogin(t *testing.T) {
	const started = "clientId=cli-A status=started expiresInMs=60000"
	disk := func(w *world, fails error) (settling <-chan struct{}, release func()) {
		reached, open := make(chan struct{}, 100), make(chan struct{})
		w.store.Intercept(func(op string, _ credential.Key) error {
			if op != "Settle" {
				return nil
			}
			reached <- struct{}{}
			<-open
			return fails
		})
		return reached, func() { close(open) }
	}
	for name, tt := range map[string]struct {
		run  func(t *testing.T, w *world, b *broker.Broker, flow api.DeviceFlowStarted)
		want []string
	}{
		"denied": {
			func(t *testing.T, w *world, _ *broker.Broker, f api.DeviceFlowStarted) {
				if err := w.as.Deny(f.UserCode); err != nil {
					t.Fatal(err)
				}
			},
			[]string{`clientId=cli-A status=failed errorKind=access_denied hint="Identity provider returned access_denied"`},
		},
		"expired": {
			func(*testing.T, *world, *broker.Broker, api.DeviceFlowStarted) {},
			[]string{"clientId=cli-A status=expired errorKind=expired_token"},
		},
		"take-over": {
			func(t *testing.T, _ *world, b *broker.Broker, f api.DeviceFlowStarted) {
				for _, id := range []string{"", "cli-B", "cli-B", "cli-A", "cli-C"} {
					if _, _, err := b.StartDeviceFlow(t.Context(), api.StartLogin{Key: "sandbox", ClientID: id}); err != nil {
						t.Fatal(err)
					}
				}
				if err := b.CancelDeviceFlow(t.Context(), f.DeviceFlowID, "cli-D"); err != nil {
					t.Fatal(err)
				}
			},
			[]string{
				`clientId=cli-B status=started hint="take-over (per-provider singleton; original initiator=cli-A)"`,
				`clientId=cli-C status=started hint="take-over (per-provider singleton; original initiator=cli-A)"`,
				"clientId=cli-D status=cancelled",
			},
		},
		"authorized": {
			func(t *testing.T, w *world, _ *broker.Broker, f api.DeviceFlowStarted) {
				if err := w.as.Approve(f.UserCode, "alice"); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"clientId=cli-A status=authorized"},
		},
		"cancel while it is stored, and it is stored": {
			func(t *testing.T, w *world, b *broker.Broker, f api.DeviceFlowStarted) {
				settling, release := disk(w, nil)
				if err := w.as.Approve(f.UserCode, "alice"); err != nil {
					t.Fatal(err)
				}
				<-settling
				if err := b.CancelDeviceFlow(t.Context(), f.DeviceFlowID, "cli-B"); err != nil {
					t.Fatal(err)
				}
				release()
			},
			[]string{
				`clientId=cli-B status=cancelled hint="deferred (persist in flight; final state decided by persist resolution)"`,
				`clientId=cli-A status=authorized hint="lost_success_kept (cancel during persist; credentials kept per IdP approval)"`,
			},
		},
		"cancel while it is stored, and it is not": {
			func(t *testing.T, w *world, b *broker.Broker, f api.DeviceFlowStarted) {
				settling, release := disk(w, errors.New("disk full"))
				if err := w.as.Approve(f.UserCode, "alice"); err != nil {
					t.Fatal(err)
				}
				<-settling
				if err := b.CancelDeviceFlow(t.Context(), f.DeviceFlowID, "cli-B"); err != nil {
					t.Fatal(err)
				}
				release()
			},
			[]string{
				`clientId=cli-B status=cancelled hint="deferred (persist in flight; final state decided by persist resolution)"`,
				`clientId=cli-A status=failed errorKind=lost_success hint="cancelled, and the store failed; revoked"`,
			},
		},
		"the store hangs": {
			func(t *testing.T, w *world, _ *broker.Broker, f api.DeviceFlowStarted) {
				settling, release := disk(w, nil)
				if err := w.as.Approve(f.UserCode, "alice"); err != nil {
					t.Fatal(err)
				}
				<-settling
				time.Sleep(50 * time.Second)
				release()
			},
			[]string{
				"clientId=cli-A status=failed errorKind=persist_failed",
				`clientId=cli-A status=authorized hint="lost_success_after_timeout (the store answered after the login had ended; the credential is kept; expiresAt=`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual, CodeLifetime: time.Minute}, func(t *testing.T, w *world) {
				var lines paper
				b := w.broker(func(c *broker.Config) { c.Audit = &audit.Writer{Text: &w.audit, JSON: &lines} })
				flow, _, err := b.StartDeviceFlow(t.Context(), api.StartLogin{Key: "sandbox", ClientID: "cli-A", Trace: auditTrace})
				if err != nil {
					t.Fatal(err)
				}
				tt.run(t, w, b, flow)
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				prefix := "[serve] auth.device-flow: provider=sandbox deviceFlowId=" + flow.DeviceFlowID[:8] + "... "
				got := strings.Split(strings.TrimSpace(w.audit.String()), "\n")
				want := append([]string{started}, tt.want...)
				if !slices.EqualFunc(got, want, func(got, want string) bool {
					// The token's expiry differs with the time of day only.
					return got == prefix+want || strings.HasSuffix(want, "expiresAt=") && strings.HasPrefix(got, prefix+want)
				}) {
					t.Errorf("lines:\n%s\nwant, after %q:\n%s", strings.Join(got, "\n"), prefix, strings.Join(want, "\n"))
				}
				for line := range strings.Lines(lines.String()) {
					var r struct {
						Trace string `json:"trace_id"`
					}
					if err := json.Unmarshal([]byte(line), &r); err != nil || r.Trace != auditTrace {
						t.Errorf("trace id %q, %v in %s", r.Trace, err, line)
					}
				}
			})
		})
	}
}
