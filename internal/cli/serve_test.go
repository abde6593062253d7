package cli

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"

	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/server"
)

// What must not be is refused before anything is touched, and says what to do.
func TestServeRefuses(t *testing.T) {
	tests := map[string]struct {
		config string
		args   string
		want   string // in the message
	}{
		"strict with a token":          {"", "--strict-loopback", "--strict-loopback is about --no-auth"},
		"no token to require":          {"", "--no-auth --require-auth", "--require-auth needs a bearer token"},
		"the same by config.toml":      {"[serve]\nrequire_auth = true\n", "--no-auth", "--require-auth needs a bearer token"},
		"any origin without a token":   {"", "--no-auth --allow-origin *", "--allow-origin '*' needs a bearer token"},
		"an origin in other spelling":  {"", "--allow-origin https://IDE.example/", "must be written https://ide.example"},
		"one in config.toml":           {"[serve]\nallow_origin = [\"ide.example\"]\n", "", "is not scheme://host"},
		"no origin at all":             {"", "--allow-origin null", "is not scheme://host"},
		"a negative rate":              {"", "--rate-limit-read -1", "must not be negative"},
		"a negative window":            {"", "--rate-limit-window -1s", "must not be negative"},
		"a window without a unit":      {"", "--rate-limit-window 60", "rate-limit-window"},
		"no folder for the audit log":  {"", "--audit-log /nonexistent/audit.log", "opening audit log"},
		"a bad setting in config.toml": {"[serve]\naudit_log = \"audit.log\"\n", "", "serve.audit_log: must be an absolute path"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			i := install(t)
			if tt.config != "" {
				write(t, i.env["USHER_CONFIG"], tt.config)
			}
			r := i.run(append([]string{"serve", "--listen", "127.0.0.1:0"}, strings.Fields(tt.args)...)...)
			if r.code != 2 || r.out != "" || !strings.Contains(strings.ReplaceAll(r.err, "\n", " "), tt.want) || !strings.Contains(r.err, "hint: ") {
				t.Errorf("exit %d, stdout %q, stderr %q, want 2 with %q", r.code, r.out, r.err, tt.want)
			}
		})
	}
}

// Flags win over config.toml, and what neither says has its default.
func TestServeOptions(t *testing.T) {
	full := config.Serve{
		Listen: "127.0.0.1:1", AllowOrigin: []string{"https://a.example"}, RequireAuth: true, RateLimit: true,
		RateLimitRead: 10, RateLimitMutation: 2, RateLimitWindow: "30s", AuditLog: "/audit.log",
	}
	here, err := filepath.Abs("other.log")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args string
		cfg  config.Serve
		want serveOptions
		rate *server.RateLimit
	}{
		"nothing": {"", config.Serve{}, serveOptions{listen: defaultListen}, nil},
		"config.toml": {"", full, serveOptions{
			listen: "127.0.0.1:1", allowOrigins: []string{"https://a.example"}, requireAuth: true, limited: true,
			limit: server.RateLimit{Read: 10, Mutation: 2, Window: 30 * time.Second}, auditLog: "/audit.log",
		}, &server.RateLimit{Read: 10, Mutation: 2, Window: 30 * time.Second}},
		"flags": {"--listen 127.0.0.1:2 --allow-origin https://b.example --allow-origin * --require-auth=false --rate-limit=false --audit-log other.log", full, serveOptions{
			listen: "127.0.0.1:2", listenAsked: true, allowOrigins: []string{"https://b.example", "*"},
			limit: server.RateLimit{Read: 10, Mutation: 2, Window: 30 * time.Second}, auditLog: here,
		}, nil},
		"the defaults of the limit": {"--rate-limit", config.Serve{}, serveOptions{listen: defaultListen, limited: true}, &server.RateLimit{}},
		"a bound implies the limit": {"--rate-limit-mutation 5", config.Serve{}, serveOptions{
			listen: defaultListen, limited: true, limit: server.RateLimit{Mutation: 5},
		}, &server.RateLimit{Mutation: 5}},
		"no audit log after all": {"--audit-log=", full, serveOptions{
			listen: "127.0.0.1:1", allowOrigins: []string{"https://a.example"}, requireAuth: true, limited: true,
			limit: server.RateLimit{Read: 10, Mutation: 2, Window: 30 * time.Second},
		}, &server.RateLimit{Read: 10, Mutation: 2, Window: 30 * time.Second}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var o serveOptions
			flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
			o.bind(flags)
			if err := flags.Parse(strings.Fields(tt.args)); err != nil {
				t.Fatal(err)
			}
			if err := o.complete(tt.cfg, flags); err != nil {
				t.Fatal(err)
			}
			tt.want.maxLogins = login.DefaultMaxActive
			tt.want.workspace = filepath.Dir(here) // absolute, as clients rely on it
			if diff := cmp.Diff(tt.want, o, cmp.AllowUnexported(serveOptions{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.rate, o.rateLimit()); diff != "" {
				t.Errorf("rate limit (-want +got):\n%s", diff)
			}
		})
	}
}
