package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// A tsClient is the published TypeScript client in a Node.js process of its own; see
// sdk/driver.mjs for the calls.
type tsClient struct {
	t       *testing.T
	process *process
	stdin   io.Writer

	mu      sync.Mutex
	n       int
	waiting map[int]chan reply
	frames  map[string]chan framed // by the stream's name
	taken   map[string][]framed    // what next took of them
}

// A reply is the answer to a call.
type reply struct {
	ID    int
	Value json.RawMessage
	Error *tsError
}

// A tsError is an error that the client threw.
type tsError struct {
	Name, Message string
	Status        int
	Body          map[string]any
}

func (e *tsError) Error() string { return e.Name + ": " + e.Message }

// A framed is one event of a stream, with the state after it, or its end.
type framed struct {
	Stream string
	Frame  map[string]any
	State  map[string]any
	End    string
}

// node starts the client's process, with further environment variables.
func (h *home) node(env ...string) *tsClient {
	h.t.Helper()
	cmd := h.command(oidcprovider.Node(h.t), "sdk/driver.mjs")
	cmd.Env = append(cmd.Env, env...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	c := &tsClient{
		t: h.t, process: h.start(cmd), stdin: stdin,
		waiting: make(map[int]chan reply), frames: make(map[string]chan framed), taken: make(map[string][]framed),
	}
	go c.read()
	h.t.Cleanup(c.compareReducers)
	return c
}

// read hands out what the process says.
func (c *tsClient) read() {
	for c.process.lines.Scan() {
		var line struct {
			reply
			framed
		}
		if err := json.Unmarshal(c.process.lines.Bytes(), &line); err != nil {
			panic(fmt.Sprintf("sdk/driver.mjs said %q: %v", c.process.lines.Text(), err))
		}
		if line.Stream != "" {
			c.stream(line.Stream) <- line.framed
			continue
		}
		c.mu.Lock()
		answer := c.waiting[line.ID]
		delete(c.waiting, line.ID)
		c.mu.Unlock()
		answer <- line.reply
	}
	close(c.process.eof)
}

func (c *tsClient) stream(name string) chan framed {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frames[name] == nil {
		c.frames[name] = make(chan framed, 1000)
	}
	return c.frames[name]
}

// args are the arguments of a call by name.
type args map[string]any

// begin makes a call and does not wait for its answer.
func (c *tsClient) begin(call string, a args) <-chan reply {
	c.t.Helper()
	c.mu.Lock()
	c.n++
	id, answer := c.n, make(chan reply, 1)
	c.waiting[id] = answer
	c.mu.Unlock()
	line := args{"id": id, "do": call}
	for name, value := range a {
		line[name] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c.stdin, "%s\n", text); err != nil {
		c.t.Fatal(err)
	}
	return answer
}

// wait waits for the answer to a call.
func (c *tsClient) wait(answer <-chan reply) (json.RawMessage, *tsError) {
	c.t.Helper()
	select {
	case r := <-answer:
		return r.Value, r.Error
	case <-time.After(time.Minute):
		c.t.Fatal("the client did not answer in a minute")
	}
	return nil, nil
}

// value makes a call that succeeds, and returns its value as JSON has it.
func (c *tsClient) value(call string, a args) map[string]any {
	c.t.Helper()
	return c.result(c.begin(call, a))
}

// result waits for a call that succeeds.
func (c *tsClient) result(answer <-chan reply) map[string]any {
	c.t.Helper()
	value, err := c.wait(answer)
	if err != nil {
		c.t.Fatalf("the client threw %v (%d, %v)", err, err.Status, err.Body)
	}
	if len(value) == 0 {
		return nil
	}
	return decode[map[string]any](c.t, string(value))
}

// refused makes a call that fails.
func (c *tsClient) refused(call string, a args) *tsError {
	c.t.Helper()
	value, err := c.wait(c.begin(call, a))
	if err == nil {
		c.t.Fatalf("%s: got %s, want an error", call, value)
	}
	return err
}

// A sent is a request that the client made, at epoch milliseconds.
type sent struct {
	Method, Path string
	At           int64
}

func (s sent) String() string { return s.Method + " " + s.Path }

// requests are those since the last time.
func (c *tsClient) requests() []sent {
	c.t.Helper()
	value, err := c.wait(c.begin("requests", nil))
	if err != nil {
		c.t.Fatal(err)
	}
	return decode[[]sent](c.t, string(value))
}

// next is the next frame of a stream, which must come.
func (c *tsClient) next(stream string) framed {
	c.t.Helper()
	select {
	case f := <-c.stream(stream):
		c.taken[stream] = append(c.taken[stream], f)
		return f
	case <-time.After(30 * time.Second):
		c.t.Fatalf("the stream %s brought no more frame", stream)
	}
	return framed{}
}

// compareReducers reduces what the daemon has sent with package usher too, and
// compares the states.
func (c *tsClient) compareReducers() {
	for name, taken := range c.taken {
		var stream []string
		var published []map[string]any
		for _, f := range taken {
			if f.Frame == nil {
				continue
			}
			text, err := json.Marshal(f.Frame)
			if err != nil {
				c.t.Fatal(err)
			}
			stream, published = append(stream, string(text)), append(published, f.State)
		}
		for i, own := range goStates(c.t, [][]string{stream}) {
			text, err := json.Marshal(published[i])
			if err != nil {
				c.t.Fatal(err)
			}
			if diff := cmp.Diff(normal(c.t, string(text)), normal(c.t, own)); diff != "" {
				c.t.Errorf("stream %s, after %s (-published +usher):\n%s", name, stream[i], diff)
			}
		}
	}
}
