package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSDKFailures ends flows in every way but success: what awaitCompletion
// returns, the event, and the state that the reducer makes of it. The reducer
// knows no expired, by the contract.
func TestSDKFailures(t *testing.T) {
	t.Parallel()
	const persistHint = "credentials could not be written to the daemon filesystem — check disk space and permissions"
	tests := map[string]struct {
		faults string
		end    func(h *home, box *box, code string)
		// What the flow and the event say, but for ids and times.
		result, event args
	}{
		"denied": {
			end:    func(_ *home, box *box, code string) { box.deny(code) },
			result: args{"status": "error", "errorKind": "access_denied"},
			event:  args{"errorKind": "access_denied"},
		},
		"expired by the daemon's clock": {
			faults: `[{"endpoint": "device", "do": {"set": {"expires_in": 2}}}]`,
			result: args{"status": "expired", "errorKind": "expired_token"},
			event:  args{"errorKind": "expired_token", "hint": "device-flow expired without authorization"},
		},
		"expired by the provider": {
			faults: `[{"endpoint": "token.device", "do": {"oauth_error": "expired_token"}}]`,
			result: args{"status": "error", "errorKind": "expired_token"},
			event:  args{"errorKind": "expired_token"},
		},
		"refused": {
			faults: `[{"endpoint": "token.device", "do": {"oauth_error": "invalid_grant"}}]`,
			result: args{"status": "error", "errorKind": "invalid_grant"},
			event:  args{"errorKind": "invalid_grant"},
		},
		"refused with an unknown code": {
			faults: `[{"endpoint": "token.device", "do": {"oauth_error": "invalid_client"}}]`,
			result: args{"status": "error", "errorKind": "upstream_error"},
			event:  args{"errorKind": "upstream_error"},
		},
		"not stored": {
			end: func(h *home, box *box, code string) {
				h.breakCredentials()
				box.approve(code)
			},
			result: args{"status": "error", "errorKind": "persist_failed"},
			event:  args{"errorKind": "persist_failed", "hint": persistHint},
		},
	}
	// The hints of what a provider said, by the contract but for the name.
	said := map[string]string{
		"denied": "access_denied", "expired by the provider": "expired_token", "refused": "invalid_grant",
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, box, c := sdkHome(t, "--interval", "1")
			if tt.faults != "" {
				box.faults(tt.faults)
			}
			flow := c.value("start", args{"client": "app", "flow": "f", "providerId": "here", "clientId": "ide-1"})
			id := flow["deviceFlowId"]
			c.next("s")
			if tt.end != nil {
				tt.end(h, box, text(flow["userCode"]))
			}
			end := c.value("awaitCompletion", args{"flow": "f"})
			result, _ := end["result"].(map[string]any)
			wantResult := merge(tt.result, args{
				"deviceFlowId": id, "providerId": "here", "initiatorClientId": "ide-1", "createdAt": result["createdAt"],
			})
			wantEvent := merge(tt.event, args{"deviceFlowId": id})
			if code := said[name]; code != "" {
				wantEvent["hint"] = "Identity provider returned " + code
			} else if tt.event["hint"] == nil {
				wantEvent["hint"] = "unexpected response from identity provider"
			}
			wantResult["hint"] = wantEvent["hint"]
			wantSame(t, "awaitCompletion", end, args{"throttled": []any{}, "result": withOptional(wantResult, result, "lastPolledAt")})
			c.wantFrame("s", event(2, "ide-1", "failed", wantEvent), flows(args{"here": merge(wantEvent, args{"status": "error", "lastSeenEventId": 2})}))
		})
	}
}

// breakCredentials makes storing a credential impossible, also for root.
func (h *home) breakCredentials() { h.inTheWay("credentials") }

// forgetLogins removes what the daemon knows of its logins.
func (h *home) forgetLogins() {
	h.t.Helper()
	if err := os.RemoveAll(filepath.Join(h.dir, "logins")); err != nil {
		h.t.Fatal(err)
	}
}

// inTheWay puts a file where the data folder has a folder.
func (h *home) inTheWay(folder string) {
	h.t.Helper()
	path := filepath.Join(h.dir, folder)
	if err := os.RemoveAll(path); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		h.t.Fatal(err)
	}
}
