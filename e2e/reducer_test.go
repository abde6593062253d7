package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/e2e/oidcprovider"
)

// tsStates are the states that the published client's reducer comes to after
// each event of each stream.
func tsStates(t *testing.T, streams [][]string) []string {
	t.Helper()
	var in bytes.Buffer
	for _, stream := range streams {
		fmt.Fprintf(&in, "\n%s\n", strings.Join(stream, "\n"))
	}
	var stderr bytes.Buffer
	cmd := exec.Command(oidcprovider.Node(t), "sdk/reduce.mjs")
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sdk/reduce.mjs: %v\n%s", err, stderr.String())
	}
	return slices.Collect(strings.Lines(string(out)))
}

// goStates are those of package usher. What is no frame, a Go program does not
// get to see.
func goStates(t *testing.T, streams [][]string) (states []string) {
	t.Helper()
	for _, stream := range streams {
		state := usher.AuthState{}
		for _, line := range stream {
			var e usher.SessionEvent
			if err := json.Unmarshal([]byte(line), &e); err == nil {
				state = state.Reduce(e)
			}
			text, err := json.Marshal(state)
			if err != nil {
				t.Fatal(err)
			}
			states = append(states, string(text))
		}
	}
	return states
}

// compareReducers reduces streams with both and reports the first difference of
// each stream.
func compareReducers(t *testing.T, streams [][]string) {
	t.Helper()
	ts, own := tsStates(t, streams), goStates(t, streams)
	if len(ts) != len(own) {
		t.Fatalf("the published reducer told %d states, package usher %d", len(ts), len(own))
	}
	n := 0
	for i, stream := range streams {
		for j := range stream {
			if diff := cmp.Diff(normal(t, ts[n+j]), normal(t, own[n+j])); diff != "" {
				t.Errorf("stream %d, after event %d (-published +usher):\n%s%s", i+1, j+1, diff, strings.Join(stream[:j+1], "\n"))
				break
			}
		}
		n += len(stream)
	}
}

// normal are the flows of a state. In Go the zero value stands for what is not
// known, so that a member that is null, empty or 0 counts as absent.
func normal(t *testing.T, text string) map[string]map[string]any {
	t.Helper()
	flows := decode[struct{ Flows map[string]map[string]any }](t, text).Flows
	if flows == nil {
		return map[string]map[string]any{}
	}
	for _, flow := range flows {
		maps.DeleteFunc(flow, func(_ string, v any) bool { return v == nil || v == "" || v == 0.0 })
	}
	return flows
}

// TestReducersAgreeOnWrittenStreams uses the streams that package usher tests
// its reducer with.
func TestReducersAgreeOnWrittenStreams(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../testdata/reducer/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no streams: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".jsonl"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			stream := slices.DeleteFunc(strings.Split(string(data), "\n"), func(line string) bool { return !isFrame(line) })
			compareReducers(t, [][]string{stream})
		})
	}
}

// isFrame reports whether a client's reader of streams hands line on to its
// reducer: both readers drop what is not of version 1, typed, and well numbered.
func isFrame(line string) bool {
	var e struct {
		V    float64
		Type *string
		ID   *float64
	}
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		return false
	}
	const maxSafe = 1<<53 - 1
	return e.V == 1 && e.Type != nil && (e.ID == nil || *e.ID >= 1 && *e.ID <= maxSafe && *e.ID == float64(int64(*e.ID)))
}

// TestReducersAgreeOnRandomStreams uses streams that are mostly plausible, and
// wrong in every way that a reader of streams lets pass.
func TestReducersAgreeOnRandomStreams(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 42))
		streams := make([][]string, 150)
		for i := range streams {
			g := generator{Rand: random}
			for range 5 + random.IntN(40) {
				streams[i] = append(streams[i], g.frame(t))
			}
		}
		compareReducers(t, streams)
	}
}

// A generator draws the frames of one stream.
type generator struct {
	*rand.Rand
	id int
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

func (g *generator) frame(t *testing.T) string {
	t.Helper()
	providers := []string{"github", "qwen-oauth", "qwen-oauth/work"}
	provider := pick(g, providers...)
	// Two providers never share the id of a flow.
	data := map[string]any{"deviceFlowId": fmt.Sprint("flow ", g.IntN(3), " of ", pick(g, providers...))}
	typ := pick(g, "started", "started", "throttled", "authorized", "authorized", "failed", "failed", "cancelled")
	switch typ {
	case "started":
		data["deviceFlowId"] = fmt.Sprint("flow ", g.IntN(3), " of ", provider)
		data["providerId"], data["expiresAt"] = provider, 1795289081241+g.IntN(9)
	case "throttled":
		data["intervalMs"] = pick(g, 6000, 10000, 15000)
	case "authorized":
		data["providerId"] = provider
		g.maybe(data, "expiresAt", 1795289081241+g.IntN(9))
		g.maybe(data, "accountAlias", pick(g, "acct-abc123", "acct-xyz789"))
	case "failed":
		data["errorKind"] = pick(g, "access_denied", "expired_token", "of_another_time")
		g.maybe(data, "hint", pick(g, "one hint", "another"))
	}
	if g.IntN(8) == 0 {
		g.spoil(data)
	}
	frame := map[string]any{"v": 1, "type": "auth_device_flow_" + typ, "data": data}
	switch g.IntN(10) {
	case 0: // no number
	case 1: // one that was there
		frame["id"] = 1 + g.IntN(max(g.id, 1))
	case 2: // a jump
		g.id += 1000
		frame["id"] = g.id
	default:
		g.id++
		frame["id"] = g.id
	}
	switch g.IntN(25) {
	case 0:
		frame["type"] = pick(g, "replay_complete", "session_update", "auth_device_flow_lost", "")
	case 1:
		frame["data"] = pick[any](g, nil, "text", 5, []any{}, map[string]any{})
	case 2:
		frame["originatorClientId"] = "ide-1"
	case 3:
		delete(frame, "data")
	}
	text, err := json.Marshal(frame)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (g *generator) maybe(data map[string]any, name string, value any) {
	if g.IntN(3) > 0 {
		data[name] = value
	}
}

// spoil removes a member of data or gives it a value of another kind.
func (g *generator) spoil(data map[string]any) {
	names := make([]string, 0, len(data)+1)
	for name := range data {
		names = append(names, name)
	}
	slices.Sort(names) // so that a seed always draws the same
	name := pick(g, append(names, "hint")...)
	if g.IntN(3) == 0 {
		delete(data, name)
		return
	}
	values := []any{nil, "", 0, -1, true, []any{"x"}, map[string]any{"x": 1}}
	if name != "deviceFlowId" && name != "providerId" {
		values = append(values, "text")
	}
	data[name] = pick(g, values...)
}
