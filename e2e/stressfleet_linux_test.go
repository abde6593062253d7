package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/e2e/refreshproc"
)

var buildReaders = sync.OnceValues(func() (string, error) { return buildReader("reader") })

// buildReader builds the program of package refreshproc.
func buildReader(name string, flags ...string) (string, error) {
	program := filepath.Join(filepath.Dir(binary), name)
	build := exec.Command("go", append(append([]string{"build", "-o", program}, flags...), "./refreshproc/program")...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", complaint{err, string(out)}
	}
	return program, nil
}

// A fleet is a crowd of processes that need the tokens of the same credentials.
type fleet struct {
	t       *testing.T
	home    *home
	keys    []string
	show    string // the resource to show tokens to
	program string // of package refreshproc
	env     []string
	members []*member
	strikes []strike // what happens to members; nil: nothing

	ctx     context.Context
	end     context.CancelFunc
	running sync.WaitGroup
	ended   time.Time // when finish was called first

	mu     sync.Mutex
	random *rand.Rand
	done   map[string]int // what was done to members, by name
}

// A member is one process of a fleet, and those that follow it when it ends.
type member struct {
	fleet *fleet
	name  string

	mu       sync.Mutex
	process  *os.Process // nil: none right now
	struck   bool        // it may end
	readings []refreshproc.Reading
}

func newFleet(t *testing.T, h *home, resource string, random *rand.Rand, keys ...string) *fleet {
	f := &fleet{
		t: t, home: h, keys: keys, show: resource, random: random,
		program: must(t)(buildReaders()), done: make(map[string]int),
	}
	f.ctx, f.end = context.WithCancel(context.Background())
	t.Cleanup(f.finish)
	return f
}

// finish ends the fleet and returns when all processes have.
func (f *fleet) finish() {
	if f.ended.IsZero() {
		f.ended = time.Now()
	}
	f.end()
	f.running.Wait()
}

// readers adds processes that live long.
func (f *fleet) readers(n int, name string, args ...string) {
	args = append(args, "-keys", strings.Join(f.keys, ","), "-resource", f.show)
	for range n {
		m, seed := f.member(name), fmt.Sprint(f.pick(1<<30))
		f.running.Go(func() {
			for f.ctx.Err() == nil {
				m.live(slices.Concat(args, []string{"-seed", seed}))
			}
		})
	}
}

// shells adds loops of commands, each of which is a process of its own.
func (f *fleet) shells(n int, name string, pace time.Duration) {
	for range n {
		m := f.member(name)
		r := &refreshproc.Reader{
			Keys: f.keys, Source: m.command, Resource: f.show, Pace: pace, Tell: m.tell,
			Random: rand.New(rand.NewPCG(uint64(f.pick(1<<30)), 0)),
		}
		f.running.Go(func() { r.Run(f.ctx) })
	}
}

func (f *fleet) member(name string) *member {
	m := &member{fleet: f, name: fmt.Sprintf("%s %d", name, len(f.members)+1)}
	f.members = append(f.members, m)
	return m
}

// live runs one process to its end.
func (m *member) live(args []string) {
	f := m.fleet
	cmd := f.home.command(f.program, args...)
	cmd.Env = append(cmd.Env, f.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		f.t.Errorf("%s: %v", m.name, err)
		f.end()
		return
	}
	m.become(cmd.Process)
	// What is asked to end ends as it must, however long that takes.
	stop := context.AfterFunc(f.ctx, func() { m.strike(cmd.Process, syscall.SIGTERM) })
	defer stop()
	for lines := json.NewDecoder(out); ; {
		var r refreshproc.Reading
		if err := lines.Decode(&r); err != nil {
			break // a process that is killed may leave half a line
		}
		m.tell(r)
	}
	_, _ = io.Copy(io.Discard, out)
	err = cmd.Wait()
	if struck := m.become(nil); !struck || cmd.ProcessState.ExitCode() > 0 {
		f.t.Errorf("%s ended by itself: %v\n%s", m.name, err, stderr.String())
		f.end()
	}
}

// command is a refreshproc.Source: usher token.
func (m *member) command(ctx context.Context, key string) (refreshproc.Token, error) {
	f := m.fleet
	for {
		cmd := f.home.command(binary, "token", key, "--json")
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Start(); err != nil {
			return refreshproc.Token{}, err
		}
		m.become(cmd.Process)
		var striking sync.WaitGroup
		if f.strikes != nil && f.chance(commandsStruck) {
			delay := f.upTo(commandsTake)
			striking.Go(func() { time.Sleep(delay); f.strike(m) })
		}
		err := cmd.Wait()
		striking.Wait()
		struck := m.become(nil)
		if err == nil {
			var t struct {
				AccessToken string    `json:"access_token"`
				ExpiresAt   time.Time `json:"expires_at"`
			}
			err := json.Unmarshal(stdout.Bytes(), &t)
			return refreshproc.Told(t.AccessToken, t.ExpiresAt), err
		}
		if !struck || ctx.Err() != nil {
			return refreshproc.Token{}, fmt.Errorf("usher token: %w: %s", err, stderr.String())
		}
	}
}

// become notes which process a member is from now on, and returns whether the
// one before may have ended of what was done to it.
func (m *member) become(p *os.Process) (struck bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	struck = m.struck
	m.process, m.struck = p, false
	return struck
}

func (m *member) tell(r refreshproc.Reading) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.readings = append(m.readings, r)
}

func (m *member) told() []refreshproc.Reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.readings[:len(m.readings):len(m.readings)]
}

// is returns the process that m is right now, or nil.
func (m *member) is() *os.Process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.process
}

// strike sends p, unless nil or followed by another already, a signal that ends
// it.
func (m *member) strike(p *os.Process, s os.Signal) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p == nil || m.process != p {
		return false
	}
	m.struck = true
	return p.Signal(s) == nil
}

// await waits until each member has had a token.
func (f *fleet) await() {
	f.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for _, m := range f.members {
		for len(m.told()) == 0 {
			if time.Now().After(deadline) || f.ctx.Err() != nil {
				f.t.Fatalf("%s has no token", m.name)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// pause lets the fleet go on for some time, unless it fails.
func (f *fleet) pause(d time.Duration) { pause(f.ctx, d) }

func (f *fleet) upTo(d time.Duration) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Duration(f.random.Int64N(int64(d)))
}

// chance is true once in n times.
func (f *fleet) chance(n int) bool { return f.pick(n) == 0 }

func (f *fleet) pick(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.random.IntN(n)
}

func (f *fleet) count(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done[what]++
}

// generation is that of the credential, whether it has a login or not.
func (f *fleet) generation(key string) int {
	f.t.Helper()
	r := f.home.usher("status", key, "--json")
	if r.code != exitOK && r.code != exitLoginNeeded {
		f.t.Fatalf("usher status %s: exit %d, %s", key, r.code, r.stderr)
	}
	line, _, _ := strings.Cut(r.stdout, "\n")
	return decode[credentialView](f.t, line).Generation
}

// alive reports whether key still has a login: a token that its resource takes.
func (f *fleet) alive(key string) bool {
	f.t.Helper()
	r := f.home.usher("token", key)
	if r.code == exitLoginNeeded {
		return false
	}
	if r.code != exitOK {
		f.t.Errorf("usher token %s: exit %d, %s", key, r.code, r.stderr)
		return false
	}
	status, err := refreshproc.Show(f.t.Context(), f.show, strings.TrimSpace(r.stdout))
	if err != nil {
		f.t.Error(errors.Join(errors.New("the last token of "+key), err))
	}
	return status == http.StatusOK
}
