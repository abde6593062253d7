package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
)

// A line comes when something happens, and says what; nothing comes for a look
// that finds all as it was.
func TestJSONViewTellsWhatHappens(t *testing.T) {
	pending := api.Login{ID: "1", Key: "k", Status: api.LoginPending, UserCode: "A", Interval: 5}
	with := func(change func(*api.Login)) api.Login {
		l := pending
		change(&l)
		return l
	}
	unreachable := with(func(l *api.Login) { l.Trouble = "provider_unreachable" })
	limited := with(func(l *api.Login) { l.Trouble = "rate_limited" })
	slow := with(func(l *api.Login) { l.Interval, l.Throttled = 10, true })
	slower := with(func(l *api.Login) { l.Interval, l.Throttled = 15, true })
	denied := with(func(l *api.Login) { l.Status, l.UserCode = api.LoginDenied, "" })
	for _, c := range []struct {
		name    string
		begin   api.Login
		updates []api.Login
		end     api.Login
		want    []string
	}{
		{"nothing in between", pending, []api.Login{pending, pending}, denied, []string{"login.started", "login.denied"}},
		{"joined", with(func(l *api.Login) { l.Attached = true }), nil, denied, []string{"login.joined", "login.denied"}},
		{"ended already", denied, nil, denied, []string{"login.denied"}},
		{"trouble", pending, []api.Login{unreachable, unreachable, pending, unreachable, limited}, denied,
			[]string{"login.started", "login.trouble", "login.recovered", "login.trouble", "login.trouble", "login.denied"}},
		{"throttled twice", pending, []api.Login{slow, slow, slower}, denied,
			[]string{"login.started", "login.throttled", "login.throttled", "login.denied"}},
		{"throttled before it was joined", slow, []api.Login{slow}, denied, []string{"login.started", "login.denied"}},
		{"seen by a process that does not poll", pending, []api.Login{with(func(l *api.Login) { l.Interval = 10 })}, denied,
			[]string{"login.started", "login.throttled", "login.denied"}},
		{"left", pending, []api.Login{slow}, pending, []string{"login.started", "login.throttled", "login.pending"}},
	} {
		var out bytes.Buffer
		v := &jsonView{app: &app{out: term.New(&out, func(string) string { return "" })}}
		v.begin(c.begin)
		for _, l := range c.updates {
			v.update(l)
		}
		v.end(c.end)
		var got []string
		for line := range strings.Lines(out.String()) {
			var l loginLine
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("%s: %q: %v", c.name, line, err)
			}
			if l.ID != "1" || l.Time.IsZero() || l.Time.Nanosecond() != 0 {
				t.Errorf("%s: %s", c.name, line)
			}
			got = append(got, l.Event)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if last := v.last; c.name == "left" && last.Interval != 10 {
			t.Errorf("the last line is not of the newest look: %+v", last)
		}
	}
}
