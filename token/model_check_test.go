package token

import (
	"errors"
	"slices"
	"time"

	"github.com/usherauth/usher/credential"
)

// The invariants of the protocol, checked after every act. I10 is about the
// shared file and is checked in e2e, where the other tool's own reader judges
// it; I13, that a status asks nobody, in e2e.

// violates notes a violation, once.
func (w *modelWorld) violates(what string) {
	if !slices.Contains(w.wrong, what) {
		w.wrong = append(w.wrong, what)
	}
}

// sending is asked before a request leaves.
func (w *modelWorld) sending(m *modelMessage) {
	if slices.ContainsFunc(w.net, func(o *modelMessage) bool { return o.from != nil }) {
		w.twoLive = true
		w.violates("I1: two requests of living processes at a time")
	}
	safe := []credential.Credential{w.disk.synced.cred}
	for _, a := range w.disk.spill {
		safe = append(safe, a.cred)
	}
	for _, c := range safe {
		if c.RefreshToken.IsZero() {
			continue
		}
		if newest := parseModelToken(c.RefreshToken.Reveal()); newest.family == m.token.family && m.token.n < newest.n {
			w.replay = true
			w.violates("I2: a token older than the newest durable one was sent")
		}
	}
}

// handedOut is told what a reader got.
func (w *modelWorld) handedOut(p *modelProc, t Token, err error) {
	p.note("read: %v", err)
	if p.canceled {
		return
	}
	if err != nil {
		if w.mustServe() && !errors.Is(err, ErrBusy) {
			w.violates("R4: a reader got no token though the provider forgives and nothing but requests were lost")
		}
		return
	}
	got := parseModelToken(t.AccessToken.Reveal())
	if l := w.disk.lock; !w.disk.holds(got) && !(l != nil && l.p.unstored) {
		w.violates("I4: a token was handed out that is not durable")
	}
}

// holds reports whether t or a newer token of its family is durable, or has
// been overtaken by a logout or a login.
func (d *modelDisk) holds(t modelToken) bool {
	safe := []modelRecord{d.synced}
	if d.writer != nil && d.writer.dead {
		// Its writer died between the rename and the sync. Nobody can tell, and
		// only a power cut on top of that undoes it.
		safe = append(safe, d.now)
	}
	for _, a := range d.spill {
		safe = append(safe, modelRecord{cred: a.cred})
	}
	return slices.ContainsFunc(safe, func(r modelRecord) bool {
		if r.gone || r.damaged {
			return true
		}
		s := parseModelToken(r.cred.AccessToken.Reveal())
		return s.family > t.family || s.family == t.family && s.n >= t.n
	})
}

// mustServe: nothing has gone wrong that a read does not make good by itself.
func (w *modelWorld) mustServe() bool {
	had, left := w.faults, w.left
	lost := had.losses - left.losses
	failed := lost + had.busy - left.busy + had.unsent - left.unsent
	had.losses, had.busy, had.unsent = left.losses, left.busy, left.unsent
	return had == left && failed <= len(ambiguousWaits) && (w.provider != modelStrict || lost == 0)
}

// check is asked after every act.
func (w *modelWorld) check() {
	w.checkRecord()
	for _, f := range w.as.families {
		switch {
		case !f.revoked || w.excused && w.provider == modelStrict:
		case w.provider == modelStrict:
			w.violates("I8: a strict provider revoked the login, and no crash or loss fell into the window")
		default:
			w.violates("I7: a provider that forgives revoked the login")
		}
	}
	if l := w.disk.lock; l != nil && l.p.dead {
		w.violates("I12: a lock has outlived its process")
	}
	if w.faulty {
		return
	}
	now, err := w.disk.read()
	switch {
	case w.as.refreshes > w.due:
		w.violates("I6: more refreshes than expiries")
	case err != nil:
	case !now.cred.HoldOffUntil.IsZero():
		w.violates("I6: a hold-off though nothing went wrong")
	}
}

func (w *modelWorld) checkRecord() {
	now, err := w.disk.load()
	if err != nil {
		w.violates("I5: the record cannot be read")
		return
	}
	c := now.cred
	if c.Generation < w.disk.newest {
		w.violates("I3: the generation went back")
	}
	if c.Generation > w.disk.newest {
		w.history = append(w.history, c)
	}
	w.disk.newest = c.Generation
	family := len(w.as.families) - 1
	switch {
	case w.loggedOut && !now.gone:
		w.violates("I11: a logged out credential came back")
		return
	case now.gone:
		return
	case c.RefreshToken.IsZero() || c.AccessToken.IsZero():
		w.violates("I9: a token was deleted")
		return
	}
	access, refresh := parseModelToken(c.AccessToken.Reveal()), parseModelToken(c.RefreshToken.Reveal())
	switch {
	case refresh.family != family:
		w.violates("I11: a late write replaced a newer login")
	case access.family != family || access.n != refresh.n && w.provider != modelFixed:
		w.violates("I3: the record is of two generations")
	case c.State == credential.NeedsLogin && !w.as.families[family].refused:
		w.violates("I9: a login is said to be needed and the provider never said so")
	}
	if c.IDToken.Reveal() != "id" || len(c.Scopes) != 1 || c.ResourceURL == "" || c.Extra.IsZero() {
		w.violates("I14: a field did not survive a refresh")
	}
}

// finish is asked when nothing can happen any more: whoever comes now gets a
// token. It is the end of the world.
func (w *modelWorld) finish() {
	if p := w.find(func(p *modelProc) bool { return p.op != "" }); p != nil {
		w.violates("I12: a process waits for ever")
	}
	if !w.faulty && w.as.refreshes != w.due {
		w.violates("I6: fewer refreshes than expiries")
	}
	w.checkLeftovers()
	if w.loggedOut {
		return
	}
	err := w.probe()
	lost, ok := errors.AsType[*LoginNeededError](err)
	switch {
	case err == nil:
		return
	case w.provider == modelStrict && w.excused:
		w.lockedOut = true
		if !ok || lost.Cause == "" {
			w.violates("I8: a lost login is not told")
		}
	case w.provider == modelStrict:
		w.lockedOut = true
		w.violates("I8: a login was lost, and no crash or loss fell into the window")
	default:
		w.lockedOut = true
		w.violates("I7: a login was lost though the provider forgives")
	}
}

// checkLeftovers: what a rotation won after a logout or a new login was revoked
// and removed, unless its process died or lost the answer.
func (w *modelWorld) checkLeftovers() {
	had, left := w.faults, w.left
	if had.crashes != left.crashes || had.powercut != left.powercut || had.losses != left.losses || had.slow != left.slow {
		return
	}
	for _, f := range w.as.families {
		if f.tooLate && !f.ended {
			w.violates("I11: a token that came too late was not revoked")
		}
	}
	if w.loggedOut && len(w.disk.spill) > 0 {
		w.violates("I11: an answer of a logged out credential was left behind")
	}
}

// probe reads as a new process would, a while later.
func (w *modelWorld) probe() error {
	time.Sleep(2 * modelLifetime)
	p := w.newProc(0)
	w.procs[0] = p
	p.read()
	for w.settle(); p.reading; w.settle() {
		switch {
		case p.op == opWait && !p.msg.answered:
			w.deliver(p.msg)
		case p.op == opLock && w.disk.lock != nil:
			return errors.New("the lock is held for ever")
		default:
			w.release(p, modelFate{})
		}
	}
	return p.err
}
