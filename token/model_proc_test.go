package token

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
)

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
	alone    bool            // there is no scheduler to wait for
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

// stop is called by a process before each operation, and returns what is to
// become of it. A process that is to die does not return.
func (p *modelProc) stop(ctx context.Context, op modelOp) modelFate {
	if p.alone {
		return modelFate{}
	}
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
