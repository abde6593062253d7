//go:build unix

package scripttest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// A mode says who does the work of the commands.
type mode string

const (
	alone  mode = "alone"  // each command does its own, in process
	daemon mode = "daemon" // a daemon of the same user does it
)

// world is everything around one run of a script.
type world struct {
	mode   mode
	base   string // holds the data folder and the configuration
	vars   func(string) string
	work   string
	box    *box
	daemon *process // nil: none, or ended by the script
	procs  []*process
	named  map[string]*process
	seen   *transcript
}

type worldKey struct{}

// worldOf is the world of a running script, with the variables it has now.
func worldOf(ts *testscript.TestScript) *world {
	w := ts.Value(worldKey{}).(*world)
	w.vars = ts.Getenv
	return w
}

// newWorld prepares a run: a home, the variables, and the daemon.
func newWorld(env *testscript.Env, m mode, prepare func(home string) (func(), error), seen *transcript) error {
	// Short, since the daemon's socket is in the data folder and the length
	// of its path is bounded.
	base, err := os.MkdirTemp("", "us")
	if err != nil {
		return err
	}
	w := &world{
		mode: m, base: base, work: env.WorkDir, vars: env.Getenv,
		named: map[string]*process{}, seen: seen,
	}
	w.box = &box{}
	env.Values[worldKey{}] = w
	env.Defer(func() { os.RemoveAll(base) })
	if prepare != nil {
		undo, err := prepare(w.home())
		if err != nil {
			return err
		}
		env.Defer(undo)
	}
	env.Defer(w.box.close)
	env.Defer(func() {
		seen.ending = w.stopDaemon(syscall.SIGTERM)
		for _, p := range w.procs {
			p.kill()
		}
		seen.odd = w.checkSchemas()
	})
	env.Setenv("HOME", base)
	env.Setenv("USHER_HOME", w.home())
	env.Setenv("USHER_CONFIG", filepath.Join(base, "config.toml"))
	seen.box = w.box
	seen.places = []place{{env.WorkDir, "$WORK"}, {w.home(), "$USHER_HOME"}, {base, "$BASE"}}
	if m == daemon {
		return w.startDaemon(env.Setenv)
	}
	return nil
}

func (w *world) home() string { return filepath.Join(w.base, "data") }

// passed are the variables of a script that its processes see.
var passed = []string{
	"HOME", "TMPDIR", "USHER_HOME", "USHER_CONFIG", "USHER_DEBUG", "USHER_SERVER_TOKEN", "QWEN_SERVER_TOKEN",
	"XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "COLUMNS", "NO_COLOR",
	"SHELL", "USHER_ACCOUNT", "USHER_ACCOUNT_BOX",
	"KUBERNETES_EXEC_INFO",
}

// start starts usher as the script's user would, in dir.
func (w *world) start(dir string, args ...string) (*process, error) {
	return w.startWith(nil, dir, args...)
}

// startWith is start with input on standard input.
func (w *world) startWith(input io.Reader, dir string, args ...string) (*process, error) {
	var vars []string
	for _, name := range passed {
		if value := w.vars(name); value != "" {
			vars = append(vars, name+"="+value)
		}
	}
	p, err := startWith(input, binary, dir, environment(vars...), args...)
	if err == nil {
		w.procs = append(w.procs, p)
	}
	return p, err
}

var listening = regexp.MustCompile(`listening on (http://[0-9.:]+)`)

// startDaemon starts the daemon of the script's home and sets $DAEMON to its
// address.
func (w *world) startDaemon(setenv func(name, value string)) error {
	// On demand, or the provider would see more refreshes than without a daemon.
	p, err := w.start(w.work, "serve", "--listen", "127.0.0.1:0", "--on-demand")
	if err != nil {
		return err
	}
	if !eventually(func() bool { return p.ended() || listening.MatchString(p.stderr.String()) }) || p.ended() {
		return fmt.Errorf("the daemon did not start\nstdout: %s\nstderr: %s", &p.stdout, &p.stderr)
	}
	setenv("DAEMON", listening.FindStringSubmatch(p.stderr.String())[1])
	w.daemon = p
	return nil
}

// stopDaemon ends the daemon, if there is one, with a signal. After SIGTERM it
// must end well.
func (w *world) stopDaemon(s syscall.Signal) error {
	p := w.daemon
	if p == nil {
		return nil
	}
	w.daemon = nil
	if err := p.signal(s); err != nil {
		return fmt.Errorf("signalling the daemon: %w\nstderr: %s", err, &p.stderr)
	}
	code, err := p.wait()
	if err == nil && s == syscall.SIGTERM && code != 0 {
		err = fmt.Errorf("the daemon ended with exit code %d\nstderr: %s", code, &p.stderr)
	}
	return err
}
