package token

import (
	"fmt"
	"slices"
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

// Now implements Clock.
func (w *modelWorld) Now() credential.Instant {
	now := time.Now()
	return credential.Instant{Wall: now.Round(0), Boot: now.Sub(w.start), BootID: fmt.Sprint(w.boots)}
}

// minTTL is the life that readers ask for: more than a token has left when it
// is old enough for another rotation, or just any.
func (w *modelWorld) minTTL() time.Duration {
	if w.late {
		return 0
	}
	return modelLifetime
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

// seen orders what the scheduler has read of the processes before what they do
// next, also those that go on by themselves as time passes.
func (w *modelWorld) seen() {
	w.mu.Lock()
	defer w.mu.Unlock()
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
