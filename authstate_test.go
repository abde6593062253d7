package usher_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
)

// TestAuthState reduces the streams in testdata/reducer: NAME.jsonl has a frame
// per line, NAME.json the state after the last, which the TypeScript client
// reaches too.
func TestAuthState(t *testing.T) {
	streams, err := filepath.Glob("testdata/reducer/*.jsonl")
	if err != nil || len(streams) < 10 {
		t.Fatalf("streams %v, error %v", streams, err)
	}
	for _, path := range streams {
		name := strings.TrimSuffix(path, ".jsonl")
		t.Run(filepath.Base(name), func(t *testing.T) {
			var want usher.AuthState
			if err := json.Unmarshal(read(t, name+".json"), &want); err != nil {
				t.Fatal(err)
			}
			got := usher.AuthState{Flows: map[string]usher.Flow{}}
			for line := range strings.Lines(string(read(t, path))) {
				before := maps.Clone(got.Flows)
				var e usher.SessionEvent
				if json.Unmarshal([]byte(line), &e) != nil {
					continue // as the iterator does
				}
				next := got.Reduce(e)
				if diff := cmp.Diff(before, got.Flows); diff != "" {
					t.Errorf("%s changed the state it was given (-before +after):\n%s", line, diff)
				}
				got = next
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A state need not be made first, and events need not come from a stream.
func TestAuthStateOfOwnEvents(t *testing.T) {
	var s usher.AuthState
	for _, data := range []any{
		api.FlowStartedData{ProviderID: "github"},             // without an id
		api.FlowStartedData{DeviceFlowID: "f"},                // without a provider
		api.FlowCancelledData{}, nil, json.RawMessage(`null`), // about nothing
		api.FlowAuthorizedData{},
	} {
		if s = s.Reduce(usher.SessionEvent{ID: 1, Data: data}); len(s.Flows) > 0 {
			t.Errorf("%#v made %v", data, s)
		}
	}
	s = s.Reduce(usher.SessionEvent{ID: 1, Data: api.FlowStartedData{DeviceFlowID: "f", ProviderID: "github"}})
	if got := slices.Collect(maps.Keys(s.Flows)); !slices.Equal(got, []string{"github"}) {
		t.Errorf("flows = %v", got)
	}
}
