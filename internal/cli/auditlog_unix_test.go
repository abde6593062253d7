//go:build unix

package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/sandbox"
)

const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"

// asker asks a daemon over TCP.
type asker struct{ url, token string }

func (a asker) do(method, path, body string, out any) error {
	req, err := http.NewRequest(method, a.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Traceparent", "00-"+traceID+"-00f067aa0ba902b7-01")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// asker returns one that has the token of the daemon at f.
func (i *installation) asker(f daemonFile) asker {
	i.t.Helper()
	token, err := os.ReadFile(filepath.Join(i.dir, "server-token"))
	if err != nil {
		i.t.Fatal(err)
	}
	return asker{f.Listen, strings.TrimSpace(string(token))}
}

// A daemon at work has its audit log rotated, as logrotate does it. Every
// transition of every login is in one of the files, whole, and once.
func TestAuditLogIsRotatedUnderLoad(t *testing.T) {
	t.Parallel()
	const workers, each = 4, 25
	i := install(t)
	i.sandbox(sandbox.Config{})
	path := filepath.Join(filepath.Dir(i.dir), "audit.log")
	p, f := i.serve("--audit-log", path)
	ask := i.asker(f)

	var mu sync.Mutex
	want := map[string]int{} // status and login -> lines
	var working sync.WaitGroup
	for w := range workers {
		working.Go(func() {
			for range each {
				var l api.Login
				if err := ask.do("POST", "/v1/logins", fmt.Sprintf(`{"key":"here/w%d"}`, w), &l); err != nil {
					t.Error(err)
					return
				}
				if err := ask.do("DELETE", "/v1/logins/"+l.ID, "", nil); err != nil {
					t.Error(err)
				}
				mu.Lock()
				want["started "+l.ID], want["cancelled "+l.ID] = 1, 1
				mu.Unlock()
			}
		})
	}
	done := make(chan struct{})
	go func() { working.Wait(); close(done) }()
	rotations := 0
	for busy := true; busy; {
		select {
		case <-done:
			busy = false
		default:
		}
		rotations++
		if err := os.Rename(path, fmt.Sprintf("%s.%d", path, rotations)); err != nil {
			t.Fatal(err)
		}
		p.signal(syscall.SIGHUP)
		eventually(t, "the daemon makes a new file", func() bool { _, err := os.Stat(path); return err == nil })
	}
	p.signal(syscall.SIGTERM)
	if code, _ := p.wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	got, untraced := map[string]int{}, 0
	for n := range rotations + 1 {
		name := path
		if n > 0 {
			name = fmt.Sprintf("%s.%d", path, n)
		}
		for _, r := range readAudit(t, name) {
			if r.Action != audit.ActionLogin || r.Time.IsZero() {
				t.Errorf("record %+v", r)
			}
			if r.TraceID != traceID {
				untraced++
			}
			got[r.Status+" "+r.LoginID]++
		}
	}
	if untraced != 0 {
		t.Errorf("%d records do not have the trace id", untraced)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("over %d rotations (-want +got):\n%s", rotations, diff)
	}
}

// readAudit reads an audit log, which must be private and of whole lines.
func readAudit(t *testing.T, path string) (records []audit.Record) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%s: %v, %v, want mode 0600", path, info, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var r audit.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil || !strings.HasSuffix(line, "\n") {
			t.Errorf("%s: %q: %v", path, line, err)
		}
		records = append(records, r)
	}
	return records
}

// A rotation that leaves the daemon no place to write to is said, and costs
// nothing: it goes on in the old file.
func TestAuditLogThatCannotBeReopened(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.sandbox(sandbox.Config{})
	path := filepath.Join(filepath.Dir(i.dir), "audit.log")
	p, f := i.serve("--audit-log", path)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path+".elsewhere", path); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	eventually(t, "the daemon says so", func() bool {
		return strings.Contains(p.err.String(), "going on with the file that is open")
	})
	if err := i.asker(f).do("POST", "/v1/logins", `{"key":"here"}`, nil); err != nil {
		t.Fatal(err)
	}
	if got := readAudit(t, path+".1"); len(got) != 1 || got[0].Status != audit.StatusStarted {
		t.Errorf("records %+v", got)
	}
	if _, err := os.Stat(path + ".elsewhere"); !os.IsNotExist(err) {
		t.Errorf("the link was followed: %v", err)
	}
}
