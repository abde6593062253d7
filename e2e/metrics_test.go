package e2e

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// A scrape is what Prometheus makes of the daemon's metrics.
type scrape struct {
	t        *testing.T
	families map[string]*dto.MetricFamily
}

// scrape reads the metrics with the parser of Prometheus, and has its linter
// judge them.
func (w *wire) scrape() scrape {
	w.t.Helper()
	a := w.do("GET", "/metrics", "").want(200, "")
	if got := a.header.Get("Content-Type"); got != "text/plain; version=0.0.4; charset=utf-8" {
		w.t.Errorf("Content-Type %q", got)
	}
	problems, err := promlint.New(bytes.NewReader(a.body)).Lint()
	if err != nil {
		w.t.Fatalf("linting: %v\n%s", err, a.body)
	}
	for _, p := range problems {
		w.t.Errorf("%s: %s", p.Metric, p.Text)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(a.body))
	if err != nil {
		w.t.Fatalf("parsing: %v\n%s", err, a.body)
	}
	return scrape{w.t, families}
}

// scrapeAfter reads them when a refresh of the key here has ended with result,
// which is a moment after the event of it.
func (w *wire) scrapeAfter(result string) (s scrape) {
	w.t.Helper()
	oidcprovider.Poll(w.t, "a refresh that is counted as "+result, func() bool {
		s = w.scrape()
		n, _ := s.value("usher_refreshes_total", "key", "here", "result", result)
		return n > 0
	})
	return s
}

// value is the value of a metric with these labels, names and values in turn.
func (s scrape) value(name string, labels ...string) (value float64, there bool) {
	for _, m := range s.families[name].GetMetric() {
		var got []string
		for _, l := range m.GetLabel() {
			got = append(got, l.GetName(), l.GetValue())
		}
		if !slices.Equal(got, labels) {
			continue
		}
		switch s.families[name].GetType() {
		case dto.MetricType_COUNTER:
			return m.GetCounter().GetValue(), true
		case dto.MetricType_HISTOGRAM:
			return float64(m.GetHistogram().GetSampleCount()), true
		default:
			return m.GetGauge().GetValue(), true
		}
	}
	return 0, false
}

// want checks a value.
func (s scrape) want(want float64, name string, labels ...string) {
	s.t.Helper()
	if got, there := s.value(name, labels...); !there || got != want {
		s.t.Errorf("%s%v is %v (there: %v), want %v", name, labels, got, there, want)
	}
}

// TestMetrics follows a credential from its login over refreshes to the loss of
// an answer, and sees on all surfaces why a login is needed then.
func TestMetrics(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box("--interval", "1", "--approve", "auto", "--token-lifetime", "2s", "--rotation", "strict")
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "measured",
		"--scope", "openid", "--scope", "offline_access")
	began := float64(time.Now().Unix())
	h.serve()
	w := h.wire()
	empty := w.scrape()
	empty.want(0, "usher_logins_pending")
	empty.want(0, "usher_unpersisted_rotations")
	empty.want(0, "usher_rotation_duration_seconds")
	if at, _ := empty.value("process_start_time_seconds"); at < began || at > float64(time.Now().Unix()+1) {
		t.Errorf("the daemon started at %v, want %v or a little later", at, began)
	}
	if n := len(empty.families["usher_build_info"].GetMetric()); n != 1 {
		t.Errorf("usher_build_info has %d samples", n)
	}

	events := w.follow(t.Context(), nil, "/v1/events")
	h.must("login", "here", "--qr=never")
	events.wait("credential.refreshed") // nobody asked for it
	s := h.ownerWire().scrapeAfter("refreshed")
	s.want(1, "usher_credential_state", "key", "here", "state", "active")
	s.want(0, "usher_credential_state", "key", "here", "state", "needs_login")
	s.want(0, "usher_refresh_ambiguous_total", "key", "here")
	s.want(1, "usher_credential_last_refresh_result", "key", "here", "result", "refreshed")
	s.want(1, "usher_event_streams", "surface", "native")
	s.want(0, "usher_event_streams", "surface", "compatible")
	for _, name := range []string{"usher_credential_expires_timestamp_seconds", "usher_credential_last_refresh_timestamp_seconds"} {
		if at, _ := s.value(name, "key", "here"); at < began {
			t.Errorf("%s is %v", name, at)
		}
	}

	// The server rotates, its answer is lost, and it takes the second try for a theft.
	box.faults(`[{"endpoint": "token.refresh", "calls": [1], "do": {"drop": "after"}}]`)
	events.wait("credential.needs_login")
	s = w.scrapeAfter("refused")
	s.want(1, "usher_credential_needs_login", "key", "here", "cause", "answer_lost")
	s.want(1, "usher_refreshes_total", "key", "here", "result", "refused")
	s.want(1, "usher_credential_last_refresh_result", "key", "here", "result", "refused")
	if n, _ := s.value("usher_refresh_ambiguous_total", "key", "here"); n < 1 {
		t.Errorf("%v ambiguous outcomes", n)
	}
	oidcprovider.Poll(t, "the end of the old token", func() bool {
		a := w.do("POST", "/v1/token", `{"key":"here"}`)
		return a.status == 409 && a.str("code") == "login_needed" && a.str("kind") == "answer_lost"
	})
	if got := w.do("GET", "/v1/credentials/here/default", "").want(200, "").str("cause"); got != "answer_lost" {
		t.Errorf("the credential names the cause %q", got)
	}
	if a := w.do("GET", "/workspace/auth/status", "").want(200, ""); !bytes.Contains(a.body, []byte(`"error":"login needed: answer_lost"`)) {
		t.Errorf("auth/status answered %s", a.body)
	}
	if r := h.usher("status", "--expect", "active"); r.code != exitLoginNeeded {
		t.Errorf("usher status --expect active: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}

	// What is gone leaves no series.
	h.must("logout", "here")
	for name, family := range w.scrape().families {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "key" {
					t.Errorf("%s still has a sample of %s", name, l.GetValue())
				}
			}
		}
	}
}
