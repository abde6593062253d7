package broker_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/sandbox"
	"github.com/usherauth/usher/secret"
)

// talkative is a provider whose errors are its own.
type talkative struct{ plain }

func (*talkative) Start(context.Context, oauth.DeviceRequest) (*oauth.DeviceAuthorization, error) {
	return nil, errors.New("provider text that nobody may see")
}

func TestInProcessProvidersErrorAtTheStartIsKeptBack(t *testing.T) {
	inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
		b := w.broker(func(c *broker.Config) { c.InProcess = map[string]login.Provider{"plain": &talkative{}} })
		_, err := b.StartLogin(t.Context(), api.StartLogin{Key: "plain"})
		if e := api.AsError(err); e == nil || e.Code != api.CodeProviderRefused || strings.Contains(e.Message+e.Hint, "nobody may see") {
			t.Errorf("StartLogin: %+v", e)
		}
	})
}

func TestInterruptedCallSaysSo(t *testing.T) {
	inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
		b := w.broker()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := b.StartLogin(ctx, api.StartLogin{Key: "sandbox"})
		if code(err) != api.CodeInterrupted {
			t.Errorf("StartLogin: %v (%s)", err, code(err))
		}
	})
}

func TestUnreadableClientSecretIsAMatterOfConfiguration(t *testing.T) {
	clients := []sandbox.Client{{ID: "confidential", Secret: secret.New("s3cret"), AuthStyle: sandbox.AuthBasic}}
	inWorld(t, sandbox.Config{Clients: clients}, func(t *testing.T, w *world) {
		file := filepath.Join(w.dir, "secret")
		if err := os.WriteFile(file, []byte("s3cret"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := provider.Open(w.dir, credential.CheckName).Add(provider.Spec{Name: "corp", Settings: provider.Settings{
			Issuer: "http://127.0.0.1:9400", ClientID: "confidential", ClientSecretFile: file,
		}})
		if err := errors.Join(err, os.Remove(file)); err != nil {
			t.Fatal(err)
		}
		_, err = w.broker().StartLogin(t.Context(), api.StartLogin{Key: "corp"})
		if e := api.AsError(err); e == nil || e.Code != api.CodeProviderIncomplete || !strings.Contains(e.Message, "client secret of corp") {
			t.Errorf("StartLogin: %+v", e)
		}
	})
}

// The contract's floor: a code that lives for less is shown to live for half a
// minute, wherever it is shown, and ends in its own time all the same.
func TestCompatibleViewShowsHalfAMinuteAtLeast(t *testing.T) {
	for life, shown := range map[time.Duration]time.Duration{5 * time.Second: 30 * time.Second, 31 * time.Second: 31 * time.Second} {
		inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual, CodeLifetime: life}, func(t *testing.T, w *world) {
			b := w.broker()
			want := time.Now().Add(shown).UnixMilli()
			flow, _, err := b.StartDeviceFlow(t.Context(), api.StartLogin{Key: "sandbox"})
			if err != nil || flow.ExpiresAt != want {
				t.Errorf("%v, start: %d, %v, want %d", life, flow.ExpiresAt, err, want)
			}
			got, err := b.DeviceFlow(t.Context(), flow.DeviceFlowID, "")
			if err != nil || got.ExpiresAt != want {
				t.Errorf("%v, flow: %d, %v, want %d", life, got.ExpiresAt, err, want)
			}
			status, err := b.AuthStatus(t.Context())
			if err != nil || len(status.PendingDeviceFlows) != 1 || status.PendingDeviceFlows[0].ExpiresAt != want {
				t.Errorf("%v, status: %+v, %v, want %d", life, status, err, want)
			}
			time.Sleep(life + time.Second)
			if got, err = b.DeviceFlow(t.Context(), flow.DeviceFlowID, ""); err != nil || got.Status != api.FlowExpired {
				t.Errorf("%v, after that: %+v, %v", life, got, err)
			}
		})
	}
}

func TestCompatibleViewGivesHintsWhereTheContractHasThem(t *testing.T) {
	tests := []struct {
		name   string
		cause  func(w *world, userCode string) error
		status string
		kind   string
		hint   string
	}{
		{"own clock", func(*world, string) error { return nil }, api.FlowExpired, api.KindExpiredToken, "device-flow expired without authorization"},
		{"the provider's clock", func(w *world, _ string) error { return refuse(w, "expired_token") }, api.FlowError, api.KindExpiredToken, "Identity provider returned expired_token"},
		{"spent", func(w *world, _ string) error { return refuse(w, "invalid_grant") }, api.FlowError, api.KindInvalidGrant, "Identity provider returned invalid_grant"},
		{"another refusal", func(w *world, _ string) error { return refuse(w, "invalid_client") }, api.FlowError, api.KindUpstreamError, "unexpected response from identity provider"},
		{"denied", func(w *world, userCode string) error { return w.as.Deny(userCode) }, api.FlowError, api.KindAccessDenied, "Identity provider returned access_denied"},
		{"disk", func(w *world, userCode string) error {
			w.store.Intercept(func(op string, _ credential.Key) error {
				if op == "Settle" {
					return errors.New("disk full")
				}
				return nil
			})
			return w.as.Approve(userCode, "alice")
		}, api.FlowError, login.FailurePersist,
			"credentials could not be written to the daemon filesystem — check disk space and permissions"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual, CodeLifetime: time.Minute}, func(t *testing.T, w *world) {
				b := w.broker()
				flow, _, err := b.StartDeviceFlow(t.Context(), api.StartLogin{Key: "sandbox", ClientID: "cli-A"})
				if err != nil {
					t.Fatal(err)
				}
				if err := tt.cause(w, flow.UserCode); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Minute)
				got, err := b.DeviceFlow(t.Context(), flow.DeviceFlowID, "cli-A")
				if err != nil || got.Status != tt.status || got.ErrorKind != tt.kind || got.Hint != tt.hint {
					t.Errorf("DeviceFlow = %+v, %v", got, err)
				}
			})
		})
	}
}

// refuse has the provider answer every poll with an error code.
func refuse(w *world, code string) error {
	return w.as.SetFaults(sandbox.Faults{{Endpoint: "token.device", Do: sandbox.Action{OAuthError: code}}})
}
