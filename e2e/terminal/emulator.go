package terminal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"testing"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// An emulator is the Node.js process that has the terminals. It ends with the
// process of the tests.
type emulator struct {
	stdin io.Writer

	mu      sync.Mutex
	next    int
	waiting map[int]chan json.RawMessage // answers by the command's id; nil: it ended
	replies map[int]func(string)         // what terminals say, by the terminal's id
	failure error
}

var (
	emulatorMu     sync.Mutex
	sharedEmulator *emulator
)

// theEmulator returns the emulator of all tests, and starts it first.
func theEmulator(t testing.TB) *emulator {
	t.Helper()
	emulatorMu.Lock()
	defer emulatorMu.Unlock()
	if sharedEmulator != nil {
		return sharedEmulator
	}
	cmd := exec.Command(oidcprovider.Node(t), "terminal/emulator.mjs")
	cmd.Dir = oidcprovider.Dir()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting the terminal emulator: %v", err)
	}
	e := &emulator{stdin: stdin, waiting: map[int]chan json.RawMessage{}, replies: map[int]func(string){}}
	go func() {
		e.read(stdout)
		err := cmd.Wait()
		e.fail(fmt.Errorf("the terminal emulator ended: %v\n%s", err, stderr.String()))
	}()
	sharedEmulator = e
	return e
}

// read passes on what the emulator says.
func (e *emulator) read(from io.Reader) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var m struct {
			ID       int
			Result   json.RawMessage
			Terminal int
			Reply    string
		}
		if json.Unmarshal(line, &m) != nil {
			return
		}
		e.mu.Lock()
		answer, reply := e.waiting[m.ID], e.replies[m.Terminal]
		delete(e.waiting, m.ID)
		e.mu.Unlock()
		switch {
		case answer != nil:
			answer <- m.Result
		case reply != nil:
			reply(m.Reply)
		}
	}
}

func (e *emulator) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failure = err
	for _, answer := range e.waiting {
		close(answer)
	}
	clear(e.waiting)
}

// do has the emulator do a command, in the order of calls, and decodes its
// answer into result unless that is nil.
func (e *emulator) do(args map[string]any, result any) error {
	answer := make(chan json.RawMessage, 1)
	e.mu.Lock()
	if e.failure != nil {
		e.mu.Unlock()
		return e.failure
	}
	e.next++
	args["id"] = e.next
	e.waiting[e.next] = answer
	line, err := json.Marshal(args)
	if err == nil {
		_, err = e.stdin.Write(append(line, '\n'))
	}
	e.mu.Unlock()
	if err != nil {
		return err
	}
	raw, ok := <-answer
	if !ok {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.failure
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(raw, result)
}

// open opens a terminal, and returns its id. The emulator calls reply with what
// the terminal answers its program.
func (e *emulator) open(o Options, reply func(string)) (int, error) {
	e.mu.Lock()
	e.next++
	id := e.next
	e.replies[id] = reply
	e.mu.Unlock()
	return id, e.do(map[string]any{
		"command": "open", "terminal": id, "columns": o.Columns, "rows": o.Rows, "theme": o.Theme, "mute": o.Mute,
	}, nil)
}

func (e *emulator) close(id int) {
	e.mu.Lock()
	delete(e.replies, id)
	e.mu.Unlock()
	// If it has ended, there is no terminal left either.
	_ = e.do(map[string]any{"command": "close", "terminal": id}, nil)
}
