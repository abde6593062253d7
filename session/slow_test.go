package session_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/session"
)

// size is what one event of publish counts, with a flow of one digit.
const size = len(`{"v":1,"type":"auth_device_flow_cancelled","data":{"deviceFlowId":"1"},"_meta":{"serverTimestamp":1795288058444}}`)

func warning(queued, most, last, bytes int, threshold string) string {
	return fmt.Sprintf(`slow_client_warning {"queueSize":%d,"maxQueued":%d,"lastEventId":%d,"queuedBytes":%d,"maxQueuedBytes":2097152,"threshold":"%s"}`, queued, most, last, bytes, threshold)
}

// Wire-protocol section 3.5: 256 frames, unless the client says otherwise.
func TestQueueOfTheContract(t *testing.T) {
	for n, want := range map[int]string{256: "slow_client_warning ", 257: `client_evicted {"reason":"queue_overflow",`} {
		h := session.Open(session.Config{})
		s := subscribe(t, h, create(t, h), session.Options{})
		publish(h, 1, n)
		if got := drain(t, s); len(got) == 0 || !strings.HasPrefix(got[0], want) || !strings.Contains(got[0], `"maxQueued":256,`) {
			t.Errorf("lagging %d frames behind: %.1q, want %s", n, got, want)
		}
	}
}

// Wire-protocol section 3.5: a warning at three quarters, again only after
// three eighths.
func TestSlowClientIsWarned(t *testing.T) {
	h := session.Open(session.Config{})
	s := subscribe(t, h, create(t, h), session.Options{MaxQueued: 16})
	take := func(n int) (got []string) {
		for range n {
			frame, _ := s.Take()
			got = append(got, brief(t, frame))
		}
		return got
	}
	same := func(from, to int) {
		for range to - from + 1 {
			publish(h, 1, 1)
		}
	}
	same(1, 11)
	if got := take(1)[0]; got != "1 1" {
		t.Errorf("with 11 of 16 queued the first frame is %q, want the event", got)
	}
	same(12, 13) // 12 are queued
	if diff := cmp.Diff([]string{warning(12, 16, 13, 12*size, "frames"), "2 1"}, take(2)); diff != "" {
		t.Errorf("with 12 queued (-want +got):\n%s", diff)
	}
	same(14, 15) // 13
	if diff := cmp.Diff([]string{"3 1", "4 1", "5 1", "6 1", "7 1", "8 1"}, take(6)); diff != "" {
		t.Errorf("the second warning came too early (-want +got):\n%s", diff)
	}
	// It went down to 8, which is above three eighths.
	same(16, 20) // 12
	if diff := cmp.Diff([]string{"9 1", "10 1", "11 1", "12 1", "13 1", "14 1", "15 1"}, take(7)); diff != "" {
		t.Errorf("the second warning came too early (-want +got):\n%s", diff)
	}
	// It went down to 6.
	same(21, 27)
	if diff := cmp.Diff([]string{warning(12, 16, 27, 12*size, "frames"), "16 1"}, take(2)); diff != "" {
		t.Errorf("the second warning (-want +got):\n%s", diff)
	}
}

func TestSlowClientIsEvicted(t *testing.T) {
	h := session.Open(session.Config{})
	id := create(t, h)
	s := subscribe(t, h, id, session.Options{MaxQueued: 16})
	publish(h, 1, 1)
	if diff := cmp.Diff([]string{"1 1"}, drain(t, s)); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
	for range 17 {
		publish(h, 1, 1)
	}
	want := []string{fmt.Sprintf(`client_evicted {"reason":"queue_overflow","droppedAfter":1,"queueSize":17,"maxQueued":16,"queuedBytes":%d,"maxQueuedBytes":2097152}`, 17*size)}
	if diff := cmp.Diff(want, drain(t, s)); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
	if frame, wait := s.Take(); frame != nil || wait != nil {
		t.Errorf("Take after the eviction = %q, %v", frame, wait)
	}
	got := drain(t, subscribe(t, h, id, session.Options{LastEventID: "1"}))
	if len(got) != 18 || got[0] != "2 1" || !strings.HasPrefix(got[17], "replay_complete") {
		t.Errorf("coming back after the eviction: %q", got)
	}
}

// The backlog counts what is live; a replay of any length is none.
func TestReplayIsNoBacklog(t *testing.T) {
	h := session.Open(session.Config{})
	id := create(t, h)
	publish(h, 1, 3000)
	got := drain(t, subscribe(t, h, id, session.Options{LastEventID: "0", MaxQueued: 16}))
	if len(got) != 3001 || got[3000] != `replay_complete {"lastReplayedEventId":3000,"lastEventId":3000,"replayedCount":3000}` {
		t.Errorf("%d frames, the last is %q", len(got), got[len(got)-1])
	}
}

func TestBytesAreBounded(t *testing.T) {
	large := func(h *session.Hub, bytes int) {
		h.Publish("", api.SessionEvent{Type: api.SessionFlowCancelled, Data: api.FlowCancelledData{DeviceFlowID: strings.Repeat("x", bytes)}})
	}
	kind := func(s *session.Subscription) string {
		frame, _ := s.Take()
		typ, _, _ := strings.Cut(string(frame[strings.Index(string(frame), "event: ")+7:]), "\n")
		if at := strings.Index(string(frame), `"reason"`); at >= 0 {
			typ += " " + string(frame[at:at+31])
		}
		if at := strings.Index(string(frame), `"threshold"`); at >= 0 {
			typ += " " + strings.Trim(string(frame[at:]), "}\n")
		}
		return typ
	}
	t.Run("a single event may be larger", func(t *testing.T) {
		h := session.Open(session.Config{})
		s := subscribe(t, h, create(t, h), session.Options{})
		large(h, 3<<20)
		if got := []string{kind(s), kind(s)}; !cmp.Equal(got, []string{`slow_client_warning "threshold":"bytes"`, "auth_device_flow_cancelled"}) {
			t.Errorf("frames = %q", got)
		}
	})
	t.Run("two are not", func(t *testing.T) {
		h := session.Open(session.Config{})
		s := subscribe(t, h, create(t, h), session.Options{})
		large(h, 2<<20)
		large(h, 1)
		if got := kind(s); got != `client_evicted "reason":"queue_bytes_overflow"` {
			t.Errorf("frame = %q", got)
		}
	})
	t.Run("both bounds", func(t *testing.T) {
		h := session.Open(session.Config{})
		s := subscribe(t, h, create(t, h), session.Options{MaxQueued: 16})
		for range 12 {
			large(h, 150<<10)
		}
		if got := kind(s); got != `slow_client_warning "threshold":"frames_and_bytes"` {
			t.Errorf("frame = %q", got)
		}
	})
}

func TestUndelivered(t *testing.T) {
	tests := map[string]struct {
		run  func(t *testing.T, h *session.Hub, a, b *session.Subscription)
		want []string
	}{
		"no subscribers": {func(t *testing.T, h *session.Hub, a, b *session.Subscription) {
			a.Close()
			b.Close()
			publish(h, 1, 1)
		}, nil},
		"all got it": {func(t *testing.T, h *session.Hub, a, b *session.Subscription) {
			publish(h, 1, 1)
			drain(t, a)
			drain(t, b)
			a.Close()
			b.Close()
		}, nil},
		"one got it": {func(t *testing.T, h *session.Hub, a, b *session.Subscription) {
			publish(h, 1, 1)
			drain(t, b)
			a.Close()
			b.Close()
		}, nil},
		"the last one got it": {func(t *testing.T, h *session.Hub, a, b *session.Subscription) {
			publish(h, 1, 1)
			a.Close()
			drain(t, b)
			b.Close()
		}, nil},
		"none got it": {func(t *testing.T, h *session.Hub, a, b *session.Subscription) {
			publish(h, 1, 2)
			a.Close()
			b.Close()
		}, []string{"auth_device_flow_cancelled 1", "auth_device_flow_cancelled 2"}},
		"taken and not written": {func(t *testing.T, h *session.Hub, a, b *session.Subscription) {
			publish(h, 1, 1)
			a.Take()
			a.Close()
			b.Close()
		}, []string{"auth_device_flow_cancelled 1"}},
		"a later one does not count": {func(t *testing.T, h *session.Hub, a, b *session.Subscription) {
			publish(h, 1, 1)
			a.Close()
			late := subscribe(t, h, create(t, h), session.Options{})
			b.Close()
			late.Close()
		}, []string{"auth_device_flow_cancelled 1"}},
		"all were evicted": {func(t *testing.T, h *session.Hub, a, b *session.Subscription) {
			publish(h, 1, 17)
			drain(t, a)
			drain(t, b)
		}, undeliveredFlows(1, 17)},
		"the ring is over it": {func(t *testing.T, h *session.Hub, a, b *session.Subscription) {
			publish(h, 1, 33)
		}, undeliveredFlows(1, 1)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			h := session.Open(session.Config{Ring: 32, Undelivered: func(typ, about string) { got = append(got, typ+" "+about) }})
			id := create(t, h)
			o := session.Options{MaxQueued: 16}
			tt.run(t, h, subscribe(t, h, id, o), subscribe(t, h, id, o))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("undelivered (-want +got):\n%s", diff)
			}
		})
	}
}

func undeliveredFlows(from, to int) (want []string) {
	for i := from; i <= to; i++ {
		want = append(want, fmt.Sprintf("auth_device_flow_cancelled %d", i))
	}
	return want
}
