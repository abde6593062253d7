package e2e

import (
	"math/rand/v2"
	"testing"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// TestSDKLivesThroughKill has the published client wait for a login at a daemon
// that dies of the provider's yes, and comes back before the client looks again:
// the provider's answers are slow, so that they come between two looks.
func TestSDKLivesThroughKill(t *testing.T) {
	for name, k := range map[string]kill{
		"provider said yes": {at: "login.polled", lost: true, answers: []string{"issued", "invalid_grant"}},
		"provider said yes and says it again": {
			at: "login.polled", box: []string{"--code-grace", "1m"}, answers: []string{"issued", "repeated"},
		},
		"token in the record":      {at: "login.persisting", answers: []string{"issued"}},
		"stored but not announced": {at: "login.settled", answers: []string{"issued"}},
		"just announced":           {at: "login.ended", answers: []string{"issued"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The pace of the published client is that of the provider.
			k.box = append(k.box, "--interval", "4")
			k.faults = `[{"endpoint": "token.device", "calls": [1], "do": {"answer_delay_ms": 1500}}]`
			r := newRestart(t, failpointed(t), k, rand.New(rand.NewPCG(*restartSeed, 2000)))
			r.first()
			c := r.home.node()
			c.value("construct", args{"name": "app", "baseUrl": r.home.url(), "token": r.home.bearer()})
			c.requests()
			flow := c.value("start", args{"client": "app", "flow": "f", "providerId": "here", "clientId": "ide-1"})
			r.box.approve(text(flow["userCode"]))
			done := c.begin("awaitCompletion", args{"flow": "f"})
			oidcprovider.Poll(t, "the first look", func() bool { return c.value("answered", nil)["answered"].(float64) >= 2 })
			r.home.killed()
			r.again()
			end := c.result(done)["result"].(map[string]any)
			wantSame(t, "the flow", end["deviceFlowId"], flow["deviceFlowId"])
			if !k.lost {
				wantSame(t, "the end", end["status"], "authorized")
			} else if end["status"] != "error" || end["errorKind"] != "lost_success" {
				t.Errorf("the end of a login whose token was lost is %v", end)
			}
			r.home.stop()
			r.asked()
			r.recorded()
			r.left()
		})
	}
}
