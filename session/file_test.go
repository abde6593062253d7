package session_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/session"
)

func TestSessionsSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.json")
	old := session.Open(session.Config{Path: path})
	before, err := old.Create("/home/a b")
	if err != nil {
		t.Fatal(err)
	}
	gone := create(t, old)
	publish(old, 1, 5)
	last := drain(t, subscribe(t, old, before.ID, session.Options{LastEventID: "0"}))
	if got := last[4]; got != "5 5" {
		t.Fatalf("last event before the restart = %q", got)
	}
	if !old.Delete(gone) {
		t.Fatal("the second session is not there")
	}

	h := session.Open(session.Config{Path: path})
	if after, ok := h.Touch(before.ID); !ok || after != before {
		t.Errorf("session after the restart = %+v, %v, want %+v", after, ok, before)
	}
	if _, ok := h.Touch(gone); ok {
		t.Error("the deleted session is there again")
	}
	if h.Epoch() == old.Epoch() {
		t.Error("the epoch is the old one")
	}
	publish(h, 6, 6)
	// Replay, restart and epoch: what comes to a client that was at event n.
	const first = 1024 + 5 + 1 // the last save was after five events
	resync := func(reason string, last int) string {
		return fmt.Sprintf(`state_resync_required {"reason":%s,"lastDeliveredId":%d,"earliestAvailableId":%d}`, reason, last, first)
	}
	event := fmt.Sprintf("%d 6", first)
	done := fmt.Sprintf(`replay_complete {"lastReplayedEventId":%d,"lastEventId":%d,"replayedCount":1}`, first, first)
	tests := map[string]struct {
		o    session.Options
		want []string
	}{
		"with the old epoch":    {session.Options{LastEventID: "5", Epoch: old.Epoch()}, []string{resync(`"epoch_reset","detail":"epoch_mismatch"`, 5), event, done}},
		"without an epoch":      {session.Options{LastEventID: "5"}, []string{resync(`"ring_evicted"`, 5), event, done}},
		"at the high-water":     {session.Options{LastEventID: fmt.Sprint(first - 1)}, []string{event, done}},
		"with the new epoch":    {session.Options{LastEventID: fmt.Sprint(first), Epoch: h.Epoch()}, []string{`replay_complete {"replayedCount":0}`}},
		"without an id":         {session.Options{}, nil},
		"above the high-water":  {session.Options{LastEventID: "5000"}, []string{resync(`"epoch_reset"`, 5000), event, done}},
		"new epoch, id too old": {session.Options{LastEventID: "5", Epoch: h.Epoch()}, []string{resync(`"ring_evicted"`, 5), event, done}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, drain(t, subscribe(t, h, before.ID, tt.o))); diff != "" {
				t.Errorf("frames (-want +got):\n%s", diff)
			}
		})
	}
}

// However often a hub is dropped, no id comes twice.
func TestIdsGrowOverRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.json")
	id := create(t, session.Open(session.Config{Path: path}))
	highest := int64(0)
	for round := range 5 {
		h := session.Open(session.Config{Path: path})
		s := subscribe(t, h, id, session.Options{MaxQueued: session.MaxQueued})
		publish(h, 1, 500*round)
		for frame, _ := s.Take(); frame != nil; frame, _ = s.Take() {
			var got int64
			if n, err := fmt.Sscanf(string(frame), "id: %d", &got); n != 1 {
				continue // a warning
			} else if err != nil || got <= highest {
				t.Fatalf("round %d: id %d after %d, %v", round, got, highest, err)
			}
			highest = got
		}
	}
	if highest < 500*(1+2+3+4) {
		t.Errorf("the highest id is %d", highest)
	}
}

func TestFileOfSessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.json")
	h := session.Open(session.Config{Path: path})
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a file without sessions: %v", err)
	}
	publish(h, 1, 3000)
	s, err := h.Create("/work")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"v":1,"reserved":4024,"sessions":[{"id":%q,"cwd":"/work","created_at":%q,"base":3000}]}`+"\n", s.ID, s.CreatedAt.Format("2006-01-02T15:04:05.999Z07:00"))
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	publish(h, 3001, 4024)
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was written within the block that was reserved (%v)", err)
	}
	publish(h, 4025, 4025)
	if after, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(after), `{"v":1,"reserved":5048,`) {
		t.Errorf("file after the block: %s, %v", after, err)
	}
}

func TestDamagedFileLosesTheSessionsOnly(t *testing.T) {
	const one = `{"id":"a","cwd":"/","created_at":"2026-11-21T10:00:00Z","base":%d}`
	tests := map[string]string{
		"empty":            "",
		"torn":             `{"v":1,"reserved":2048,"sess`,
		"no object":        `[]`,
		"another version":  `{"v":2,"reserved":1024,"sessions":[]}`,
		"twice":            fmt.Sprintf(`{"v":1,"reserved":1024,"sessions":[`+one+`,`+one+`]}`, 0, 0),
		"begins too late":  fmt.Sprintf(`{"v":1,"reserved":1024,"sessions":[`+one+`]}`, 1025),
		"unsafe numbers":   `{"v":1,"reserved":9007199254740992,"sessions":[]}`,
		"negative numbers": `{"v":1,"reserved":-1,"sessions":[]}`,
		"without an id":    `{"v":1,"reserved":1024,"sessions":[{"base":1}]}`,
		"a huge file":      `{"v":1,"reserved":1,"sessions":[]}` + strings.Repeat(" ", 8<<20),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			h := session.Open(session.Config{Path: path, Log: slog.New(slog.NewTextHandler(&log, nil))})
			if _, ok := h.Touch("a"); ok || !strings.Contains(log.String(), "level=WARN msg=\"the sessions are lost") {
				t.Errorf("a session from a damaged file: %v; log %q", ok, log.String())
			}
			id := create(t, h)
			if _, ok := session.Open(session.Config{Path: path}).Touch(id); !ok {
				t.Error("a new session does not survive after that")
			}
		})
	}
}

// A disk that fails holds up neither sessions nor events.
func TestDiskThatFails(t *testing.T) {
	var log bytes.Buffer
	h := session.Open(session.Config{Path: filepath.Join(t.TempDir(), "no folder", "sessions.json"), Log: slog.New(slog.NewTextHandler(&log, nil))})
	s := subscribe(t, h, create(t, h), session.Options{})
	publish(h, 1, 2)
	if diff := cmp.Diff([]string{"1 1", "2 2"}, drain(t, s)); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
	if !strings.Contains(log.String(), "not safe from a restart") {
		t.Errorf("log = %q", log.String())
	}
}

// As many sessions as there may be, with folders of the longest names in the
// longest form that JSON has for them, are there after a restart.
func TestLongestFileOfSessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.json")
	one, err := session.Open(session.Config{Path: path}).Create("/" + strings.Repeat("\x01", session.MaxCwd-1))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(data), "[")
	entry, tail, ended := strings.Cut(rest, "]")
	if !found || !ended {
		t.Fatalf("the file is %q", data)
	}
	var entries, ids []string
	for i := range session.MaxSessions {
		id := fmt.Sprintf("%08x%s", i, one.ID[8:])
		ids, entries = append(ids, id), append(entries, strings.Replace(entry, one.ID, id, 1))
	}
	if err := os.WriteFile(path, []byte(head+"["+strings.Join(entries, ",")+"]"+tail), 0o600); err != nil {
		t.Fatal(err)
	}
	h := session.Open(session.Config{Path: path})
	for _, id := range ids {
		if _, ok := h.Touch(id); !ok {
			t.Fatalf("session %s is lost", id)
		}
	}
}
