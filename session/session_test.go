package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/session"
)

func create(t testing.TB, h *session.Hub) string {
	t.Helper()
	s, err := h.Create("/work")
	if err != nil {
		t.Fatal(err)
	}
	return s.ID
}

func subscribe(t testing.TB, h *session.Hub, id string, o session.Options) *session.Subscription {
	t.Helper()
	s, err := h.Subscribe(id, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// publish publishes cancelled events about the flows "1" to "n".
func publish(h *session.Hub, from, to int) {
	for i := from; i <= to; i++ {
		flow := fmt.Sprint(i)
		h.Publish(flow, api.SessionEvent{Type: api.SessionFlowCancelled, Data: api.FlowCancelledData{DeviceFlowID: flow}})
	}
}

// drain takes the frames there are and shows each as "id flow", or as its type
// and data if it has no id.
func drain(t testing.TB, s *session.Subscription) []string {
	t.Helper()
	var got []string
	for {
		frame, _ := s.Take()
		if frame == nil {
			return got
		}
		got = append(got, brief(t, frame))
	}
}

func brief(t testing.TB, frame []byte) string {
	t.Helper()
	body, ok := strings.CutSuffix(string(frame), "\n\n")
	head, data, found := strings.Cut(body, "data: ")
	if !ok || !found {
		t.Fatalf("not a frame: %q", frame)
	}
	var e struct {
		ID   int64
		V    int
		Type string
		Data json.RawMessage
	}
	if err := json.Unmarshal([]byte(data), &e); err != nil || e.V != 1 {
		t.Fatalf("frame %q: %v", frame, err)
	}
	if e.ID == 0 {
		if want := "event: " + e.Type + "\n"; head != want {
			t.Errorf("lines before the data of a notice = %q, want %q", head, want)
		}
		return e.Type + " " + string(e.Data)
	}
	if want := fmt.Sprintf("id: %d\nevent: %s\n", e.ID, e.Type); head != want {
		t.Errorf("lines before the data = %q, want %q", head, want)
	}
	var about api.FlowCancelledData
	if err := json.Unmarshal(e.Data, &about); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", e.ID, about.DeviceFlowID)
}

// The bytes of wire-protocol section 3.3, the example below its table.
func TestFrameOfTheContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := session.Open(session.Config{})
		s := subscribe(t, h, create(t, h), session.Options{})
		publish(h, 1, 1)
		h.Publish("", api.SessionEvent{
			Type: api.SessionFlowStarted, OriginatorClientID: "cli-A",
			Data: api.FlowStartedData{DeviceFlowID: "1f28<&>", ProviderID: "qwen-oauth", ExpiresAt: 1795288958444},
		})
		s.Take()
		frame, _ := s.Take()
		want := "id: 2\nevent: auth_device_flow_started\n" +
			`data: {"id":2,"v":1,"type":"auth_device_flow_started","data":{"deviceFlowId":"1f28<&>","providerId":"qwen-oauth","expiresAt":1795288958444},"originatorClientId":"cli-A","_meta":{"serverTimestamp":946684800000}}` + "\n\n"
		if diff := cmp.Diff(want, string(frame)); diff != "" {
			t.Errorf("frame (-want +got):\n%s", diff)
		}
	})
}

// Wire-protocol section 3.2: a ring of 8000 events, unless configured.
func TestRingOfTheContract(t *testing.T) {
	const ring = 8000
	for _, over := range []int{0, 1} {
		h := session.Open(session.Config{})
		id := create(t, h)
		publish(h, 1, ring+over)
		got := drain(t, subscribe(t, h, id, session.Options{LastEventID: "0"}))
		want := ring + 1 // with replay_complete
		if over > 0 {
			want++ // with state_resync_required
		}
		if len(got) != want || strings.HasPrefix(got[0], "state_resync_required ") != (over > 0) {
			t.Errorf("after %d events: %d frames, want %d; the first is %s", ring+over, len(got), want, got[0])
		}
	}
}

// The table of wire-protocol section 3.4, with a ring of four.
func TestResume(t *testing.T) {
	const (
		none    = `replay_complete {"replayedCount":0}`
		evicted = `state_resync_required {"reason":"ring_evicted","lastDeliveredId":%d,"earliestAvailableId":%d}`
		reset   = `state_resync_required {"reason":"epoch_reset","lastDeliveredId":%d,"earliestAvailableId":%d}`
		other   = `state_resync_required {"reason":"epoch_reset","detail":"epoch_mismatch","lastDeliveredId":%d,"earliestAvailableId":%d}`
	)
	replayed := func(last, count int) string {
		return fmt.Sprintf(`replay_complete {"lastReplayedEventId":%d,"lastEventId":%d,"replayedCount":%d}`, last, last, count)
	}
	tests := map[string]struct {
		before, after int // events before the session and in it
		o             session.Options
		want          []string
	}{
		"no id":                      {2, 3, session.Options{}, nil},
		"garbage":                    {2, 3, session.Options{LastEventID: "x1"}, nil},
		"a sign":                     {2, 3, session.Options{LastEventID: "+1"}, nil},
		"an underscore":              {2, 3, session.Options{LastEventID: "1_0"}, nil},
		"more than a safe integer":   {2, 3, session.Options{LastEventID: "9007199254740992"}, nil},
		"epoch without an id":        {2, 3, session.Options{Epoch: "other"}, nil},
		"all of a new session":       {2, 3, session.Options{LastEventID: "0"}, []string{"1 3", "2 4", "3 5", replayed(3, 3)}},
		"an empty new session":       {2, 0, session.Options{LastEventID: "0"}, []string{none}},
		"some":                       {0, 4, session.Options{LastEventID: "3"}, []string{"4 4", replayed(4, 1)}},
		"leading zeroes":             {0, 4, session.Options{LastEventID: "003"}, []string{"4 4", replayed(4, 1)}},
		"the last":                   {0, 4, session.Options{LastEventID: "4"}, []string{none}},
		"right before the oldest":    {0, 6, session.Options{LastEventID: "2"}, []string{"3 3", "4 4", "5 5", "6 6", replayed(6, 4)}},
		"older than the ring":        {0, 6, session.Options{LastEventID: "1"}, []string{fmt.Sprintf(evicted, 1, 3), "3 3", "4 4", "5 5", "6 6", replayed(6, 4)}},
		"not given yet":              {1, 2, session.Options{LastEventID: "999"}, []string{fmt.Sprintf(reset, 999, 1), "1 2", "2 3", replayed(2, 2)}},
		"not given yet, empty":       {5, 0, session.Options{LastEventID: "999"}, []string{fmt.Sprintf(reset, 999, 1), none}},
		"another epoch":              {1, 2, session.Options{LastEventID: "1", Epoch: "other"}, []string{fmt.Sprintf(other, 1, 1), "1 2", "2 3", replayed(2, 2)}},
		"something that is no epoch": {1, 2, session.Options{LastEventID: "1", Epoch: "no epoch"}, []string{"2 3", replayed(2, 1)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := session.Open(session.Config{Ring: 4})
			publish(h, 1, tt.before)
			id := create(t, h)
			publish(h, tt.before+1, tt.before+tt.after)
			if diff := cmp.Diff(tt.want, drain(t, subscribe(t, h, id, tt.o))); diff != "" {
				t.Errorf("frames (-want +got):\n%s", diff)
			}
			o := tt.o
			o.Epoch = h.Epoch()
			if tt.o.Epoch != "" {
				return
			}
			if diff := cmp.Diff(tt.want, drain(t, subscribe(t, h, id, o))); diff != "" {
				t.Errorf("frames with the right epoch (-want +got):\n%s", diff)
			}
		})
	}
}

// What is published during a replay comes after replay_complete; what the ring
// loses meanwhile is told of.
func TestPublishingDuringReplay(t *testing.T) {
	h := session.Open(session.Config{Ring: 4})
	id := create(t, h)
	publish(h, 1, 4)
	s := subscribe(t, h, id, session.Options{LastEventID: "0"})
	first, _ := s.Take()
	got := []string{brief(t, first)}
	publish(h, 5, 7)
	got = append(got, drain(t, s)...)
	want := []string{
		"1 1", `state_resync_required {"reason":"ring_evicted","lastDeliveredId":1,"earliestAvailableId":4}`,
		"4 4", `replay_complete {"lastReplayedEventId":4,"lastEventId":4,"replayedCount":2}`, "5 5", "6 6", "7 7",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

func TestSessionsNumberTheSameEvents(t *testing.T) {
	h := session.Open(session.Config{})
	a := create(t, h)
	publish(h, 1, 2)
	b := create(t, h)
	publish(h, 3, 3)
	for id, want := range map[string][]string{a: {"1 1", "2 2", "3 3"}, b: {"1 3"}} {
		got := drain(t, subscribe(t, h, id, session.Options{LastEventID: "0"}))
		if diff := cmp.Diff(want, got[:len(got)-1]); diff != "" {
			t.Errorf("frames (-want +got):\n%s", diff)
		}
	}
}

func TestTakeWaits(t *testing.T) {
	h := session.Open(session.Config{})
	s := subscribe(t, h, create(t, h), session.Options{})
	frame, wait := s.Take()
	if frame != nil {
		t.Fatalf("frame %q before anything was published", frame)
	}
	select {
	case <-wait:
		t.Error("woken before anything was published")
	default:
	}
	publish(h, 1, 1)
	<-wait
	if diff := cmp.Diff([]string{"1 1"}, drain(t, s)); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

func TestDeleteEndsTheStreams(t *testing.T) {
	h := session.Open(session.Config{})
	id := create(t, h)
	s := subscribe(t, h, id, session.Options{})
	_, wait := s.Take()
	if !h.Delete(id) {
		t.Error("Delete did not find the session")
	}
	<-wait
	if frame, wait := s.Take(); frame != nil || wait != nil {
		t.Errorf("Take after the end = %q, %v", frame, wait)
	}
	if _, err := h.Subscribe(id, session.Options{}); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("subscribing = %v, want ErrNotFound", err)
	}
	if _, ok := h.Touch(id); ok || h.Delete(id) {
		t.Error("a deleted session is still there")
	}
}

func TestSubscribersAreBounded(t *testing.T) {
	h := session.Open(session.Config{})
	id := create(t, h)
	var last *session.Subscription
	for range session.MaxSubscribers {
		last = subscribe(t, h, id, session.Options{})
	}
	if _, err := h.Subscribe(id, session.Options{}); !errors.Is(err, session.ErrTooManySubscribers) {
		t.Errorf("one too many = %v, want ErrTooManySubscribers", err)
	}
	subscribe(t, h, create(t, h), session.Options{}) // another session has its own
	last.Close()
	last.Close() // counts once
	subscribe(t, h, id, session.Options{})
	if _, err := h.Subscribe(id, session.Options{}); !errors.Is(err, session.ErrTooManySubscribers) {
		t.Errorf("one too many again = %v, want ErrTooManySubscribers", err)
	}
}

func TestTheLeastUsedSessionMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := session.Open(session.Config{})
		ids := make([]string, session.MaxSessions)
		for i := range ids {
			ids[i] = create(t, h)
			time.Sleep(time.Second)
		}
		subscribe(t, h, ids[0], session.Options{})
		h.Touch(ids[1])
		create(t, h)
		for i, want := range []bool{true, true, false, true} {
			if _, ok := h.Touch(ids[i]); ok != want {
				t.Errorf("session %d is there: %v, want %v", i, ok, want)
			}
		}
	})
}

func TestSessionsInUseAreKept(t *testing.T) {
	h := session.Open(session.Config{})
	for range session.MaxSessions {
		subscribe(t, h, create(t, h), session.Options{})
	}
	if _, err := h.Create("/work"); !errors.Is(err, session.ErrTooManySessions) {
		t.Errorf("one too many = %v, want ErrTooManySessions", err)
	}
}
