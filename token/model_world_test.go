package token

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
)

// The model of the world around the refresh protocol. The processes in it run
// production code: each has a Manager of its own, and what it does is
// Manager.Token. Model are the disk they share (model_disk_test.go), the
// provider and the network (model_net_test.go), and time, which is a bubble's.
// Whenever a process touches the disk or the network it stops and waits for the
// scheduler, who decides what happens next: it is a modelAct.

// modelLifetime is that of the model's tokens: as short as the promise of the
// hold-off allows (30 s, half of it). Readers ask for more than a token has
// left 20 s after its birth, which is the spacing, so that the hold-off alone
// is what keeps a request of the dead from meeting a second rotation.
const modelLifetime = time.Minute

// modelTravel is how long a request may outlive the process that sent it: the
// assumption about networks on which the hold-off rests.
const modelTravel = 30 * time.Second

var modelKey = credential.Key{Provider: "model", Account: "default"}

// modelFaults is how often each thing may still happen that a schedule may
// contain but need not.
type modelFaults struct {
	crashes  int // a process dies, at any step and within a write
	powercut int // all die, and what was not synced may be undone
	losses   int // a connection breaks, before or after the provider acted
	slow     int // an answer takes longer than the budget
	busy     int // the provider answers 503 and does nothing
	unsent   int // no connection can be made
	garbled  int // an answer claims success and cannot be understood
	noroom   int // the disk gets full; it may have room again at any time
	badwrite int // a write of the record fails
	badspill int // a write of the record fails, and so does keeping the answer aside
	damage   int // the record becomes unreadable
	restored int // an old copy of the record is put in its place
	logouts  int
	logins   int
	cancels  int // a reader goes away
}

// modelConfig is a world to explore.
type modelConfig struct {
	procs    int
	expiries int
	provider modelRotationMode
	late     bool // nobody comes before the token has ended
	faults   modelFaults
	without  modelOmission
}

// modelOp is what a process is about to do, and waits for.
type modelOp string

const (
	opLock    modelOp = "lock"    // take the rotation lock and read
	opReserve modelOp = "reserve" // make room and write the intent
	opSend    modelOp = "send"    // write the request
	opWait    modelOp = "wait"    // read the answer
	opCommit  modelOp = "commit"  // store the answer
	opFlush   modelOp = "flush"   // store what a variant did not store in time
	opRelease modelOp = "release" // give the lock back
	opGet     modelOp = "get"     // read without a lock
	opUpdate  modelOp = "update"  // compare and swap
	opDiscard modelOp = "discard" // remove what was kept aside
	opGaveUp  modelOp = "gave up" // a context ended while waiting
)

// modelCuts are the writes within an operation; its process may die after any
// but the last of them, after which dying is dying before the next operation.
var modelCuts = map[modelOp]int{opLock: 3, opReserve: 2, opCommit: 4}

// modelFate is what the scheduler has decided about an operation.
type modelFate struct {
	dead  bool // the process dies before it
	cut   int  // the process dies after so many of its writes; 0 for not
	fault string
}

// modelProc is a process, from its start to its death.
type modelProc struct {
	w        *modelWorld
	m        *Manager
	slot     int // which of the world's places it has
	dead     bool
	ctx      context.Context // of the reader
	cancel   context.CancelFunc
	canceled bool
	err      error // of the last read
	reading  bool  // Manager.Token has not returned
	reads    int   // how often it returned

	op     modelOp // what it waits for; empty for nothing
	resume chan modelFate
	cut    int // writes until it dies; below 0 for no end

	msg      *modelMessage  // its request on the way
	held     *modelRotation // its rotation lock
	spent    bool           // it sent a token, and the answer is not safe
	unstored bool           // it says that its token is not durable
	log      strings.Builder
}

// modelWorld is everything.
type modelWorld struct {
	modelConfig
	mu     sync.Mutex  // what a process did before it stopped comes before what others see
	left   modelFaults // what may still happen
	due    int         // how often the token expired
	start  time.Time
	boots  int
	procs  []*modelProc
	net    []*modelMessage
	as     modelProvider
	disk   modelDisk
	faulty bool // something went wrong

	wrong                      []string // the violations so far
	excused                    bool     // a crash or loss fell into the window that nothing closes
	twoLive, replay, lockedOut bool

	loggedOut bool
	history   []credential.Credential // every record there was
}

func newModelWorld(cfg modelConfig) *modelWorld {
	w := &modelWorld{modelConfig: cfg, left: cfg.faults, start: time.Now()}
	w.as.mode = cfg.provider
	w.login()
	for i := range cfg.procs {
		w.procs = append(w.procs, w.newProc(i))
	}
	return w
}

func (w *modelWorld) newProc(slot int) *modelProc {
	p := &modelProc{w: w, slot: slot, resume: make(chan modelFate)}
	p.m = NewManager(Config{
		Store: &modelStore{p: p},
		HTTP:  &http.Client{Transport: modelTransport{p}},
		Clock: w,
		Observe: func(e Event) {
			if e.Type == Unstored {
				p.unstored = true
			}
		},
	})
	// No tick: its work, to notice what others did, is not to be relied on.
	p.m.ticking = true
	return p
}

// Now implements Clock.
func (w *modelWorld) Now() credential.Instant {
	now := time.Now()
	return credential.Instant{Wall: now.Round(0), Boot: now.Sub(w.start), BootID: fmt.Sprint(w.boots)}
}

// stop is called by a process before each operation, and returns what is to
// become of it. A process that is to die does not return.
func (p *modelProc) stop(ctx context.Context, op modelOp) modelFate {
	if p.dead {
		runtime.Goexit()
	}
	p.waitFor(op)
	var fate modelFate
	select {
	case fate = <-p.resume:
	case <-ctx.Done():
		// One at a time, in an order that does not depend on the runtime.
		p.waitFor(opGaveUp)
		fate = <-p.resume
		if fate.fault == "" {
			fate.fault = "gave up"
		}
	}
	if fate.dead {
		runtime.Goexit()
	}
	p.cut = -1
	if fate.cut > 0 {
		p.cut = fate.cut
	}
	return fate
}

func (p *modelProc) waitFor(op modelOp) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.op = op
}

// wrote is called after each durable write within an operation.
func (p *modelProc) wrote() {
	if p.cut--; p.cut == 0 {
		p.w.kill(p)
		runtime.Goexit()
	}
}

// note adds to what the process has seen since it began to read: all it can
// know.
func (p *modelProc) note(format string, args ...any) {
	fmt.Fprintf(&p.log, format+";", args...)
}

// read begins Manager.Token.
func (p *modelProc) read() {
	ctx, cancel := context.WithCancel(context.Background())
	p.ctx, p.cancel, p.canceled = ctx, cancel, false
	p.reading = true
	if !p.flying() {
		p.log.Reset()
	}
	go func() {
		defer cancel()
		t, err := p.m.Token(ctx, modelKey, p.w.minTTL())
		if p.dead {
			return
		}
		p.reading = false
		p.reads++
		p.err = err
		p.w.handedOut(p, t, err)
	}()
}

// minTTL is the life that readers ask for: more than a token has left when it
// is old enough for another rotation, or just any.
func (w *modelWorld) minTTL() time.Duration {
	if w.late {
		return 0
	}
	return modelLifetime
}

// flying reports whether a rotation of the process is under way.
func (p *modelProc) flying() bool {
	e := (*p.m.entries.Load())[modelKey]
	if e == nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.flight != nil
}

// settle lets every process run until it waits for the scheduler or is done.
// One that sleeps is waited for, which takes virtual time alone.
func (w *modelWorld) settle() {
	const longest = 4 * int(lastStoreWait/time.Second)
	for range 4 * longest {
		synctest.Wait()
		if p := w.find(func(p *modelProc) bool { return p.op == opGaveUp }); p != nil {
			w.release(p, modelFate{})
			continue
		}
		if w.find(func(p *modelProc) bool { return p.op == "" && (p.reading || p.flying()) }) == nil {
			return
		}
		time.Sleep(250 * time.Millisecond)
	}
	w.violates("I12: a process is stuck")
}

func (w *modelWorld) find(is func(*modelProc) bool) *modelProc {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.IndexFunc(w.procs, is); i >= 0 {
		return w.procs[i]
	}
	return nil
}

// release tells a waiting process its fate.
func (w *modelWorld) release(p *modelProc, fate modelFate) {
	p.op = ""
	p.resume <- fate
}

// kill is the end of a process, in whatever it is doing. Another one takes its
// place.
func (w *modelWorld) kill(p *modelProc) {
	w.faulty = true
	if p.spent {
		w.excused = true
	}
	if p.msg != nil {
		w.orphan(p.msg)
	}
	w.disk.died(p)
	w.bury(p)
	w.procs[p.slot] = w.newProc(p.slot)
	w.procs[p.slot].reads = min(p.reads, w.due-1)
}

// bury ends the goroutines of a process.
func (w *modelWorld) bury(p *modelProc) {
	p.dead = true
	if p.cancel != nil {
		p.cancel()
	}
	p.m.close()
	p.m.abandon()
	if p.op != "" {
		w.release(p, modelFate{dead: true})
	}
}

// end leaves no goroutine behind.
func (w *modelWorld) end() {
	for _, p := range w.procs {
		w.bury(p)
	}
	synctest.Wait()
}
