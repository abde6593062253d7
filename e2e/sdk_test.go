package e2e

import (
	"regexp"
	"slices"
	"testing"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// TestSDKJourney is a whole login as an application with the published client
// sees it: what every call returns, what it requests, and the events with the
// state that the client's reducer makes of them.
func TestSDKJourney(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box("--dialect", "qwen", "--interval", "1")
	// The dialect names no interval of its own. The first poll is too early.
	box.faults(`[{"endpoint": "device", "do": {"set": {"interval": 1}}},
		{"endpoint": "token.device", "calls": [1], "do": {"slow_down": true}}]`)
	h.must("provider", "add", "qwen-oauth", "--client-id", "sdk",
		"--device-endpoint", box.issuer+"/api/v1/oauth2/device/code", "--token-endpoint", box.issuer+"/api/v1/oauth2/token")
	h.flags = []string{"--workspace", "/srv/project"}
	h.serve()
	c := h.node()
	c.value("construct", args{"name": "app", "baseUrl": h.url() + "/", "token": h.bearer()})
	c.wantRequests()
	app := args{"client": "app"}

	wantSame(t, "health", c.value("health", app), args{"status": "ok"})
	capabilities := c.value("capabilities", app)
	for _, tag := range []string{"health", "capabilities", "session_create", "session_events", "auth_device_flow"} {
		if features, _ := capabilities["features"].([]any); !slices.Contains(features, any(tag)) {
			t.Errorf("the feature %s is not advertised: %v", tag, features)
		}
	}
	wantSame(t, "transports", capabilities["transports"], []string{"rest"})
	status := c.value("authStatus", app)
	supported, _ := status["supportedDeviceFlowProviders"].([]any)
	if !slices.Contains(supported, any("qwen-oauth")) {
		t.Errorf("supported providers: %v", supported)
	}
	wantSame(t, "status at first", status, args{
		"v": 1, "workspaceCwd": "/srv/project", "providers": []any{}, "pendingDeviceFlows": []any{},
		"supportedDeviceFlowProviders": supported,
	})
	c.wantRequests("GET /health", "GET /capabilities", "GET /workspace/auth/status")

	session := c.value("session", args{"client": "app", "name": "s"})
	wantSame(t, "session", session, args{
		"sessionId": session["sessionId"], "clientId": session["clientId"], "createdAt": session["createdAt"],
		"workspaceCwd": "/srv/project", "attached": false,
	})
	c.wantFrame("s", args{"v": 1, "type": "replay_complete", "data": args{"replayedCount": 0}}, noFlows)
	c.requests()

	flow := c.value("start", args{"client": "app", "flow": "f", "providerId": "qwen-oauth", "clientId": "ide-1"})
	c.wantRequests("POST /workspace/auth/device-flow")
	id, code := text(flow["deviceFlowId"]), text(flow["userCode"])
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("the id of the flow is %q", id)
	}
	wantSame(t, "start", flow, args{
		"deviceFlowId": id, "providerId": "qwen-oauth", "attached": false,
		"expiresAt": flow["expiresAt"], "intervalMs": 1000,
		"userCode": code, "verificationUri": flow["verificationUri"], "verificationUriComplete": flow["verificationUriComplete"],
	})
	c.wantFrame("s", event(1, "ide-1", "started", args{"deviceFlowId": id, "providerId": "qwen-oauth", "expiresAt": flow["expiresAt"]}),
		flows(args{"qwen-oauth": args{"deviceFlowId": id, "status": "pending", "lastSeenEventId": 1}}))
	done := c.begin("awaitCompletion", args{"flow": "f"})

	joined := c.value("start", args{"client": "app", "flow": "g", "providerId": "qwen-oauth", "clientId": "web-2"})
	wantSame(t, "take-over", joined, args{
		"deviceFlowId": id, "providerId": "qwen-oauth", "attached": true,
		"expiresAt": flow["expiresAt"], "intervalMs": joined["intervalMs"],
	})
	own := c.value("status", args{"client": "app", "deviceFlowId": id, "clientId": "ide-1"})
	if own["userCode"] != code || own["initiatorClientId"] != "ide-1" || own["status"] != "pending" {
		t.Errorf("the initiator sees %v", own)
	}
	for _, other := range []args{{}, {"clientId": "web-2"}} {
		seen := c.value("getDeviceFlow", merge(app, args{"deviceFlowId": id}, other))
		delete(seen, "lastPolledAt") // may have come meanwhile
		wantSame(t, "the flow for others", seen, args{
			"deviceFlowId": id, "providerId": "qwen-oauth", "status": "pending",
			"createdAt": own["createdAt"], "expiresAt": flow["expiresAt"], "intervalMs": seen["intervalMs"],
		})
	}
	pending := c.value("authStatus", app)
	wantSame(t, "pending flows", pending["pendingDeviceFlows"], []args{{"deviceFlowId": id, "providerId": "qwen-oauth", "expiresAt": flow["expiresAt"]}})

	c.wantFrame("s", event(2, "ide-1", "throttled", args{"deviceFlowId": id, "intervalMs": 6000}),
		flows(args{"qwen-oauth": args{"deviceFlowId": id, "status": "pending", "intervalMs": 6000, "lastSeenEventId": 2}}))
	box.approve(code)
	end := c.result(done)
	result, _ := end["result"].(map[string]any)
	wantSame(t, "awaitCompletion", end, args{
		"throttled": []int{6000},
		"result": args{
			"deviceFlowId": id, "providerId": "qwen-oauth", "status": "authorized", "initiatorClientId": "ide-1",
			"createdAt": own["createdAt"], "lastPolledAt": result["lastPolledAt"],
		},
	})
	status = c.value("authStatus", app)
	wantSame(t, "flows at last", status["pendingDeviceFlows"], []any{})
	providers, _ := status["providers"].([]any)
	if len(providers) != 1 {
		t.Fatalf("providers at last: %v", providers)
	}
	credential := providers[0].(map[string]any)
	wantSame(t, "the credential", credential, withOptional(args{
		"kind": "auth_provider", "status": "ok", "providerId": "qwen-oauth", "expiresAt": credential["expiresAt"],
	}, credential, "accountAlias"))
	authorized := withOptional(args{"deviceFlowId": id, "providerId": "qwen-oauth", "expiresAt": credential["expiresAt"]}, credential, "accountAlias")
	last := withOptional(args{
		"deviceFlowId": id, "status": "authorized", "intervalMs": 6000,
		"authorizedExpiresAt": credential["expiresAt"], "lastSeenEventId": 3,
	}, credential, "accountAlias")
	c.wantFrame("s", event(3, "ide-1", "authorized", authorized), flows(args{"qwen-oauth": last}))

	c.value("heartbeat", args{"name": "s"})
	c.value("detach", args{"name": "s"})
	for range 2 {
		c.value("cancel", args{"flow": "f"}) // too late, and no error
	}
	c.value("close", args{"name": "s"})
	if f := c.next("s"); f.End == "" {
		t.Errorf("after the end of the flow the stream said %v", f.Frame)
	}
	c.checkPolls(id, 1000, 6000)
	if got := box.record().DeviceAuthorizations; got != 1 {
		t.Errorf("the provider saw %d device authorizations", got)
	}
	if token := h.token("qwen-oauth"); token == "" {
		t.Error("there is no token")
	}
}

// TestSDKCancel cancels a flow as another client than the one that started it,
// twice more as that one, and starts anew.
func TestSDKCancel(t *testing.T) {
	t.Parallel()
	h, _, c := sdkHome(t, "--interval", "5")
	flow := c.value("start", args{"client": "app", "flow": "f", "providerId": "here", "clientId": "ide-1"})
	id := text(flow["deviceFlowId"])
	c.wantFrame("s", event(1, "ide-1", "started", args{"deviceFlowId": id, "providerId": "here", "expiresAt": flow["expiresAt"]}),
		flows(args{"here": args{"deviceFlowId": id, "status": "pending", "lastSeenEventId": 1}}))
	c.requests()
	c.value("cancelById", args{"client": "app", "deviceFlowId": id, "clientId": "web-2"})
	c.wantFrame("s", event(2, "web-2", "cancelled", args{"deviceFlowId": id}),
		flows(args{"here": args{"deviceFlowId": id, "status": "cancelled", "lastSeenEventId": 2}}))
	for range 2 {
		c.value("cancel", args{"flow": "f"})
	}
	path := "/workspace/auth/device-flow/" + id
	c.wantRequests("DELETE "+path, "DELETE "+path, "DELETE "+path)
	end := c.value("awaitCompletion", args{"flow": "f"})
	result, _ := end["result"].(map[string]any)
	wantSame(t, "awaitCompletion", end, args{"throttled": []any{}, "result": args{
		"deviceFlowId": id, "providerId": "here", "status": "cancelled",
		"createdAt": result["createdAt"], "initiatorClientId": "ide-1",
	}})
	again := c.value("start", args{"client": "app", "flow": "f", "providerId": "here"})
	if again["attached"] != false || again["deviceFlowId"] == id || again["userCode"] == nil {
		t.Errorf("the flow after the cancelled one: %v", again)
	}
	c.wantFrame("s", event(3, "", "started", args{"deviceFlowId": again["deviceFlowId"], "providerId": "here", "expiresAt": again["expiresAt"]}),
		flows(args{"here": args{"deviceFlowId": again["deviceFlowId"], "status": "pending", "lastSeenEventId": 3}}))
	joined := c.value("start", args{"client": "app", "flow": "g", "providerId": "here"})
	wantSame(t, "an anonymous take-over of an anonymous flow", joined, merge(again, args{"attached": true}))
	h.stop()
}

// TestSDKRefusals is what the client throws, and what it takes in silence.
func TestSDKRefusals(t *testing.T) {
	t.Parallel()
	h, box, c := sdkHome(t, "--interval", "5")
	const post, get = "POST /workspace/auth/device-flow: ", "GET /workspace/auth/device-flow/:id: "
	supported := c.value("authStatus", args{"client": "app"})["supportedDeviceFlowProviders"]
	wantThrown(t, c.refused("start", args{"client": "app", "flow": "x", "providerId": "nope"}), 400,
		post+"Unsupported device-flow provider: nope",
		args{"error": "Unsupported device-flow provider: nope", "code": "unsupported_provider", "supportedProviders": supported})
	wantThrown(t, c.refused("start", args{"client": "app", "flow": "x", "providerId": ""}), 400,
		post+"`providerId` must be a non-empty string",
		args{"error": "`providerId` must be a non-empty string", "code": "invalid_request"})
	const badID = "`X-Qwen-Client-Id` must be a non-empty token of 128 characters or fewer"
	wantThrown(t, c.refused("start", args{"client": "app", "flow": "x", "providerId": "here", "clientId": "bad id!"}), 400,
		post+badID, args{"error": badID, "code": "invalid_client_id"})
	// A slash and the like reach the daemon as part of the id.
	for _, id := range []string{"nope", "a/b", "a b?c#d%2F", "ünï"} {
		wantThrown(t, c.refused("status", args{"client": "app", "deviceFlowId": id}), 404,
			get+"Device-flow "+id+" not found", args{"error": "Device-flow " + id + " not found", "code": "device_flow_not_found"})
		c.value("cancelById", args{"client": "app", "deviceFlowId": id})
	}
	box.faults(`[{"endpoint": "device", "do": {"status": 500, "body": "<html>oops"}}]`)
	wantThrown(t, c.refused("start", args{"client": "app", "flow": "x", "providerId": "here"}), 502,
		post+"Identity provider device authorization request failed",
		args{"error": "Identity provider device authorization request failed", "code": "upstream_error"})
	box.faults(`[]`)
	for _, account := range []string{"a", "b", "c", "d"} {
		c.value("start", args{"client": "app", "flow": account, "providerId": "here/" + account})
	}
	const full = "Too many active device-flow attempts. Cancel one of the existing flows or wait for them to expire."
	wantThrown(t, c.refused("start", args{"client": "app", "flow": "x", "providerId": "here/e"}), 409,
		post+full, args{"error": full, "code": "too_many_active_flows"})

	c.value("construct", args{"name": "stranger", "baseUrl": h.url(), "token": "wrong"})
	wantThrown(t, c.refused("start", args{"client": "stranger", "flow": "x", "providerId": "here"}), 401,
		post+"Unauthorized", args{"error": "Unauthorized"})
	wantSame(t, "health for a stranger", c.value("health", args{"client": "stranger"}), args{"status": "ok"})
}

// TestSDKForgottenFlow waits for a flow that the daemon does not know any more.
func TestSDKForgottenFlow(t *testing.T) {
	t.Parallel()
	h, _, c := sdkHome(t, "--interval", "5")
	flow := c.value("start", args{"client": "app", "flow": "f", "providerId": "here"})
	h.stop()
	h.forgetLogins()
	h.serve()
	end := c.value("awaitCompletion", args{"flow": "f"})
	result, _ := end["result"].(map[string]any)
	if result["status"] != "error" || result["errorKind"] != "not_found_or_evicted" || result["deviceFlowId"] != flow["deviceFlowId"] {
		t.Errorf("awaitCompletion: %v", end)
	}
}

// TestSDKOtherProviders uses keys with and without an account, the client's
// token from the environment, and several flows at a time.
func TestSDKOtherProviders(t *testing.T) {
	t.Parallel()
	h, box, _ := sdkHome(t, "--interval", "1", "--approve", "manual")
	c := h.node("QWEN_SERVER_TOKEN= " + h.bearer() + " ")
	c.value("construct", args{"name": "app", "baseUrl": h.url()})
	c.value("session", args{"client": "app", "name": "s"})
	c.wantFrame("s", args{"v": 1, "type": "replay_complete", "data": args{"replayedCount": 0}}, noFlows)
	state := map[string]any{}
	id := map[string]string{}
	for i, key := range []string{"here", "here/work", "here/a.b_c-d"} {
		flow := c.value("start", args{"client": "app", "flow": key, "providerId": key})
		id[key] = text(flow["deviceFlowId"])
		wantSame(t, "start of "+key, flow["providerId"], key)
		state[key] = args{"deviceFlowId": id[key], "status": "pending", "lastSeenEventId": i + 1}
		c.wantFrame("s", event(i+1, "", "started", args{"deviceFlowId": id[key], "providerId": key, "expiresAt": flow["expiresAt"]}), flows(state))
		if i == 1 {
			box.approve(text(flow["userCode"]))
		}
	}
	end := c.value("awaitCompletion", args{"flow": "here/work"})
	wantSame(t, "end of here/work", end["result"].(map[string]any)["status"], "authorized")
	f := c.next("s")
	wantSame(t, "event of here/work", f.Frame["data"].(map[string]any)["providerId"], "here/work")
	wantSame(t, "states", statuses(f.State), args{"here": "pending", "here/work": "authorized", "here/a.b_c-d": "pending"})
	// here/default is here.
	same := c.value("start", args{"client": "app", "flow": "again", "providerId": "here/default"})
	wantSame(t, "here/default", []any{same["deviceFlowId"], same["providerId"], same["attached"]}, []any{id["here"], "here", true})
	if got := h.status("here/work", exitOK); got.State != "active" {
		t.Errorf("here/work is %+v", got)
	}
}

// TestSDKWithoutToken logs in at a daemon that asks for no token.
func TestSDKWithoutToken(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box("--interval", "1")
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "sdk")
	h.flags = []string{"--no-auth"}
	h.serve()
	c := h.node()
	c.value("construct", args{"name": "app", "baseUrl": h.url()})
	c.value("session", args{"client": "app", "name": "s"})
	c.wantFrame("s", args{"v": 1, "type": "replay_complete", "data": args{"replayedCount": 0}}, noFlows)
	flow := c.value("start", args{"client": "app", "flow": "f", "providerId": "here"})
	box.approve(text(flow["userCode"]))
	end := c.value("awaitCompletion", args{"flow": "f"})
	wantSame(t, "the end", end["result"].(map[string]any)["status"], "authorized")
	c.next("s")
	wantSame(t, "states", statuses(c.next("s").State), args{"here": "authorized"})

	h.stop()
	h.flags = []string{"--no-auth", "--strict-loopback"}
	h.serve()
	refused := c.refused("start", args{"client": "app", "flow": "f", "providerId": "here"})
	if refused.Status != 401 || refused.Body["code"] != "token_required" {
		t.Errorf("a strict daemon answered %d %v", refused.Status, refused.Body)
	}
}

// TestSDKFollowsARestart restarts the daemon between two looks of a waiting
// client, gracefully and with kill -9. The flow, the session and the numbers of
// its events go on.
func TestSDKFollowsARestart(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]struct {
		end  func(*home)
		told []string // by the new daemon, in whatever order
	}{
		"stopped": {(*home).stop, []string{"auth_device_flow_authorized", "replay_complete"}},
		// The one that was killed may not have told of the start.
		"killed": {(*home).crash, []string{"auth_device_flow_authorized", "auth_device_flow_started", "replay_complete"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, box, c := sdkHome(t, "--interval", "4")
			flow := c.value("start", args{"client": "app", "flow": "f", "providerId": "here", "clientId": "ide-1"})
			c.next("s")
			c.requests()
			done := c.begin("awaitCompletion", args{"flow": "f"})
			oidcprovider.Poll(t, "the first look", func() bool { return c.value("answered", nil)["answered"] == 1.0 })
			way.end(h)
			if f := c.next("s"); f.End == "" {
				t.Errorf("the stream of the daemon that ended said %v", f.Frame)
			}
			h.serve()
			wantSame(t, "where the session stood", c.value("resume", args{"name": "s"}), args{"lastEventId": 1})
			resync := c.next("s")
			data, _ := resync.Frame["data"].(map[string]any)
			wantSame(t, "the first frame", resync.Frame, args{"v": 1, "type": "state_resync_required", "data": args{
				"reason": "epoch_reset", "detail": "epoch_mismatch", "lastDeliveredId": 1, "earliestAvailableId": data["earliestAvailableId"],
			}})
			box.approve(text(flow["userCode"]))
			got := c.result(done)
			wantSame(t, "the end of the wait", got["result"].(map[string]any)["status"], "authorized")
			wantSame(t, "throttled", got["throttled"], []any{})
			var told []string
			state, last := map[string]any{}, 1.0
			for !slices.Contains(told, "auth_device_flow_authorized") || !slices.Contains(told, "replay_complete") {
				f := c.next("s")
				told = append(told, text(f.Frame["type"]))
				state = f.State
				if n, numbered := f.Frame["id"].(float64); numbered {
					if n <= last {
						t.Errorf("event %v came after event %v", n, last)
					}
					last = n
				}
			}
			slices.Sort(told)
			wantSame(t, "events", told, way.told)
			wantSame(t, "states", statuses(state), args{"here": "authorized"})
			wantSame(t, "what the provider saw", box.record(), boxRecord{DeviceAuthorizations: 1})
		})
	}
}
