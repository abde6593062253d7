package broker

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"iter"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/memstore"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/token"
)

// A listedStore lists what a test says.
type listedStore struct {
	credential.Store
	creds []credential.Credential
	err   error // after them
}

func (s *listedStore) List(context.Context) iter.Seq2[credential.Credential, error] {
	return func(yield func(credential.Credential, error) bool) {
		for _, c := range s.creds {
			if !yield(c, nil) {
				return
			}
		}
		if s.err != nil {
			yield(credential.Credential{}, s.err)
		}
	}
}

func metricsBroker(t *testing.T, store *listedStore) *Broker {
	t.Helper()
	store.Store = memstore.New()
	b := New(Config{Store: store, Providers: provider.Open(t.TempDir(), credential.CheckName)})
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// samples are the lines of the metrics that begin with any of these names.
func samples(t *testing.T, b *Broker, names ...string) []string {
	t.Helper()
	var text strings.Builder
	if err := b.WriteMetrics(t.Context(), &text); err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for line := range strings.Lines(text.String()) {
		for _, name := range names {
			if strings.HasPrefix(line, name) {
				lines = append(lines, strings.TrimSuffix(line, "\n"))
			}
		}
	}
	return lines
}

func wantSamples(t *testing.T, got []string, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

func refreshable(key credential.Key, received time.Time) credential.Credential {
	return credential.Credential{
		Key: key, Kind: credential.Refreshable, State: credential.Active, Generation: 1,
		RefreshToken: secret.New("rt"), Received: credential.Instant{Wall: received}, Lifetime: time.Hour,
	}
}

var (
	keyA = credential.Key{Provider: "a", Account: credential.DefaultAccount}
	keyB = credential.Key{Provider: "b", Account: "work"}
)

func TestMetricsOfWhatIsStored(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	first, second := refreshable(keyA, now), refreshable(keyB, now.Add(-5*time.Hour))
	first.RefreshedAt, first.RefreshExpiresAt = now.Add(-time.Minute), now.Add(24*time.Hour)
	second.State, second.Cause = credential.NeedsLogin, credential.CauseAnswerLost
	store := &listedStore{creds: []credential.Credential{first, second}}
	b := metricsBroker(t, store)
	at := func(d time.Duration) string { return " " + epoch(now.Add(d)) }
	wantSamples(t, samples(t, b, "usher_credential_"),
		`usher_credential_state{key="a",state="active"} 1`,
		`usher_credential_state{key="a",state="needs_login"} 0`,
		`usher_credential_state{key="b/work",state="active"} 0`,
		`usher_credential_state{key="b/work",state="needs_login"} 1`,
		`usher_credential_needs_login{key="b/work",cause="answer_lost"} 1`,
		`usher_credential_expires_timestamp_seconds{key="a"}`+at(time.Hour),
		`usher_credential_expires_timestamp_seconds{key="b/work"}`+at(-4*time.Hour),
		`usher_credential_needs_login_by_timestamp_seconds{key="a"}`+at(24*time.Hour),
		`usher_credential_last_refresh_timestamp_seconds{key="a"}`+at(-time.Minute),
	)
	wantSamples(t, samples(t, b, "usher_logins_pending", "usher_unreadable"), "usher_unreadable_credentials 0", "usher_logins_pending 0")

	// One that cannot be read hides no other.
	store.err = &credential.UnreadableError{Err: errors.New("damaged")}
	wantSamples(t, samples(t, b, "usher_unreadable", `usher_credential_state{key="a",state="active"}`),
		`usher_credential_state{key="a",state="active"} 1`, "usher_unreadable_credentials 1")

	store.err = errors.New("no folder")
	if err := b.WriteMetrics(t.Context(), &strings.Builder{}); err == nil {
		t.Error("a store that cannot be read yields metrics")
	}
}

func TestMetricsOfRotations(t *testing.T) {
	store := &listedStore{creds: []credential.Credential{refreshable(keyA, time.Now())}}
	b := metricsBroker(t, store)
	of := func(key credential.Key) credential.Credential { return credential.Credential{Key: key} }
	finished := func(key credential.Key, r token.Report) {
		b.onToken(token.Event{Type: token.Finished, Credential: of(key), Report: r})
	}
	zero := []string{
		`usher_refreshes_total{key="a",result="refreshed"} 0`,
		`usher_refreshes_total{key="a",result="adopted"} 0`,
		`usher_refreshes_total{key="a",result="refused"} 0`,
		`usher_refreshes_total{key="a",result="superseded"} 0`,
		`usher_refreshes_total{key="a",result="provider"} 0`,
		`usher_refreshes_total{key="a",result="store"} 0`,
		`usher_refreshes_total{key="a",result="busy"} 0`,
	}
	wantSamples(t, samples(t, b, "usher_refreshes_total"), zero...)
	wantSamples(t, samples(t, b, "usher_credential_last_refresh_result"))

	b.onToken(token.Event{Type: token.Unstored, Credential: of(keyA), Err: errors.New("disk full")})
	wantSamples(t, samples(t, b, "usher_unpersisted"), "usher_unpersisted_rotations 1")
	finished(keyA, token.Report{Result: token.ResultRefreshed, Requests: 3, Ambiguous: 2, LockWait: 2 * time.Second, Took: 3 * time.Second})
	finished(keyA, token.Report{Result: token.ResultProvider, Requests: 1, LockWait: time.Millisecond, Took: 20 * time.Millisecond})
	b.onToken(token.Event{Type: token.ShareFailed, Credential: of(keyA), Err: errors.New("read-only")})
	finished(keyB, token.Report{Result: token.ResultBusy, LockWait: time.Minute, Took: time.Minute}) // gone by now
	wantSamples(t, samples(t, b, "usher_unpersisted"), "usher_unpersisted_rotations 0")
	wantSamples(t, samples(t, b, `usher_refreshes_total{key="a",result="refreshed"}`, `usher_refreshes_total{key="a",result="provider"}`,
		"usher_credential_last_refresh_result", "usher_refresh_", "usher_shared_"),
		`usher_refreshes_total{key="a",result="refreshed"} 1`,
		`usher_refreshes_total{key="a",result="provider"} 1`,
		`usher_credential_last_refresh_result{key="a",result="provider"} 1`,
		`usher_refresh_requests_total{key="a"} 4`,
		`usher_refresh_ambiguous_total{key="a"} 2`,
		`usher_shared_file_failures_total{key="a"} 1`,
	)
	wantSamples(t, samples(t, b, `usher_rotation_lock_wait_seconds_bucket{le="0.001"}`, `usher_rotation_lock_wait_seconds_bucket{le="5"}`, "usher_rotation_lock_wait_seconds_count", "usher_rotation_duration_seconds_sum"),
		`usher_rotation_lock_wait_seconds_bucket{le="0.001"} 1`,
		`usher_rotation_lock_wait_seconds_bucket{le="5"} 2`,
		"usher_rotation_lock_wait_seconds_count 3",
		"usher_rotation_duration_seconds_sum 63.02",
	)

	// While something cannot be read nobody knows what is gone.
	gone := store.creds
	store.creds, store.err = nil, &credential.UnreadableError{Err: errors.New("damaged")}
	wantSamples(t, samples(t, b, "usher_refresh"))
	store.creds, store.err = gone, nil
	wantSamples(t, samples(t, b, "usher_refresh_requests"), `usher_refresh_requests_total{key="a"} 4`)
	// What is gone begins again when it comes back.
	store.creds = nil
	wantSamples(t, samples(t, b, "usher_refresh"))
	store.creds = gone
	wantSamples(t, samples(t, b, "usher_refreshes_total"), zero...)
}

// A result that package token has and metrics do not would be missing silently.
func TestMetricsKnowEveryResult(t *testing.T) {
	for _, want := range resultsInSource(t) {
		found := false
		for _, r := range results {
			found = found || string(r) == want
		}
		if !found {
			t.Errorf("metrics do not show the result %q", want)
		}
	}
}

func TestNeedsLoginBy(t *testing.T) {
	now := time.Now()
	for name, tt := range map[string]struct {
		change func(c *credential.Credential)
		want   time.Time
	}{
		"nothing is known":             {func(*credential.Credential) {}, time.Time{}},
		"the refresh token ends":       {func(c *credential.Credential) { c.RefreshExpiresAt = now.Add(48 * time.Hour) }, now.Add(48 * time.Hour)},
		"the access token outlives it": {func(c *credential.Credential) { c.RefreshExpiresAt = now.Add(time.Minute) }, now.Add(time.Hour)},
		"there is no refresh token":    {func(c *credential.Credential) { c.RefreshToken = secret.String{} }, now.Add(time.Hour)},
		"the access token has no end":  {func(c *credential.Credential) { c.Lifetime, c.RefreshExpiresAt = 0, now.Add(time.Minute) }, time.Time{}},
		"nor is there a refresh token": {func(c *credential.Credential) { c.Lifetime, c.RefreshToken = 0, secret.String{} }, time.Time{}},
		"a login is needed already": {func(c *credential.Credential) {
			c.State, c.RefreshExpiresAt = credential.NeedsLogin, now.Add(time.Minute)
		}, time.Time{}},
		"it is renewed without refresh token": {func(c *credential.Credential) { c.Kind, c.RefreshToken = credential.Minted, secret.String{} }, time.Time{}},
	} {
		c := refreshable(keyA, now)
		tt.change(&c)
		if got := needsLoginBy(c); !got.Equal(tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// resultsInSource are the constants of type Result in package token.
func resultsInSource(t *testing.T) (values []string) {
	t.Helper()
	files, err := filepath.Glob("../token/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Result" || len(spec.Values) == 0 {
				return true
			}
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
			return true
		})
	}
	if len(values) < 7 {
		t.Fatalf("found the results %q", values)
	}
	return values
}

func epoch(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
