package session_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/usherauth/usher/session"
)

// Clients that come and go, sessions that begin and end, and events from
// several sides: every stream is without a gap, and no event that a client
// got is told to be lost.
func TestAllAtOnce(t *testing.T) {
	var mu sync.Mutex
	lost := make(map[string]int)
	h := session.Open(session.Config{
		Path: filepath.Join(t.TempDir(), "sessions.json"),
		Undelivered: func(_, about string) {
			mu.Lock()
			defer mu.Unlock()
			lost[about]++
		},
	})
	steady := create(t, h)
	var publishers, clients sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		// Before the first event: who comes later replays it, and by then it
		// may rightly have been told to be lost.
		s := subscribe(t, h, steady, session.Options{LastEventID: "0", MaxQueued: session.MaxQueued})
		clients.Go(func() {
			for want := 1; want <= 1200; {
				frame, wait := s.Take()
				if frame == nil {
					<-wait
					continue
				}
				var got int
				if n, _ := fmt.Sscanf(string(frame), "id: %d", &got); n == 0 {
					continue // a notice
				}
				if got != want {
					t.Errorf("id %d, want %d", got, want)
					return
				}
				want++
			}
		})
	}
	for p := range 4 {
		publishers.Go(func() {
			for i := range 300 {
				publish(h, p*300+i, p*300+i)
			}
		})
	}
	var visitors sync.WaitGroup
	for range 4 {
		visitors.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				id := create(t, h)
				s, err := h.Subscribe(id, session.Options{MaxQueued: session.MinQueued})
				if err != nil {
					t.Error(err)
					return
				}
				s.Take()
				h.Delete(id)
				s.Take()
				s.Close()
			}
		})
	}
	publishers.Wait()
	clients.Wait()
	close(stop)
	visitors.Wait()
	for about, n := range lost {
		t.Errorf("event %s was delivered, and %d times told to be lost", about, n)
	}
}
