package cli

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/internal/term"
	sessions "github.com/usherauth/usher/session"
)

// An event that could be delivered to none of its subscribers is said on
// standard error as a warning, without anybody asking for more.
func TestUndeliveredEventIsSaid(t *testing.T) {
	var said safeBuffer
	a := &app{err: term.New(&said, func(string) string { return "" })}
	hub := (&daemon{app: a, dirs: config.Dirs{Home: t.TempDir()}}).sessions(a.log(slog.LevelWarn))
	s, err := hub.Create("/work")
	if err != nil {
		t.Fatal(err)
	}
	publish := func(login string) {
		hub.Publish(login, api.SessionEvent{Type: api.SessionFlowCancelled, Data: api.FlowCancelledData{DeviceFlowID: login}})
	}
	publish("nobody-subscribed")
	subscribed, err := hub.Subscribe(s.ID, sessions.Options{})
	if err != nil {
		t.Fatal(err)
	}
	publish("taken")
	subscribed.Take()
	subscribed.Take() // the first one is written
	publish("lost")
	subscribed.Close()
	got := said.String()
	for _, want := range []string{"level=WARN", "no client of a session got an event", "type=auth_device_flow_cancelled", "login=lost"} {
		if !strings.Contains(got, want) {
			t.Errorf("it said %q, want %s", got, want)
		}
	}
	if strings.Count(got, "\n") != 1 {
		t.Errorf("it said %q, want one line", got)
	}
}
