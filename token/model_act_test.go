package token

import (
	"fmt"
	"slices"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// modelAct is one choice of the scheduler. A list of them, a schedule, says all
// about a run: the same acts always lead to the same world.
type modelAct struct {
	what string
	slot int // of the process, or of the message's sender; -1 for none
	nth  int // of the messages without a sender; or the writes before a death
	op   modelOp
}

func (a modelAct) String() string {
	switch {
	case a.slot < 0 && a.nth > 0:
		return fmt.Sprintf("%s of nobody's request %d", a.what, a.nth)
	case a.slot < 0:
		return a.what
	case a.nth > 0:
		return fmt.Sprintf("p%d %s: %s after write %d", a.slot, a.op, a.what, a.nth)
	default:
		return fmt.Sprintf("p%d %s: %s", a.slot, a.op, a.what)
	}
}

// acts lists what may happen now, always in the same order.
func (w *modelWorld) acts() []modelAct {
	var acts []modelAct
	overdue := false
	for i, m := range w.orphans() {
		acts = append(acts, modelAct{what: "delivery", slot: -1, nth: i + 1}, modelAct{what: "loss", slot: -1, nth: i + 1})
		overdue = overdue || !m.until.After(time.Now())
	}
	if overdue {
		return acts // it cannot wait any longer
	}
	// Nothing that others do changes what giving back a lock or reading an
	// answer leads to, nor the other way round: no need to try all orders.
	if p := w.find(func(p *modelProc) bool { return p.op == opRelease || p.op == opWait && p.msg.answered }); p != nil {
		return w.procActs(p)
	}
	for _, p := range w.procs {
		acts = append(acts, w.procActs(p)...)
	}
	may := func(left int, what string, is bool) {
		if left > 0 && is {
			acts = append(acts, modelAct{what: what, slot: -1})
		}
	}
	d, l := &w.disk, w.left
	_, err := d.read()
	live := err == nil
	may(w.expiries-w.due, "the token expires", w.mayExpire())
	may(l.noroom, "the disk is full", !d.full)
	may(1, "the disk has room again", d.full)
	may(l.powercut, "power cut, what is written stays", true)
	may(l.powercut, "power cut, what is not synced goes", true)
	may(l.damage, "the record is damaged", live && d.lock == nil && !d.now.damaged && len(w.history) > 1)
	may(l.restored, "an old record is restored", live && !d.now.damaged && len(w.history) > 2)
	may(l.logouts, "logout", live && !d.full)
	may(l.logins, "login", !d.full)
	return acts
}

func (w *modelWorld) orphans() []*modelMessage {
	return slices.DeleteFunc(slices.Clone(w.net), func(m *modelMessage) bool { return m.from != nil })
}

// procActs lists what may happen to one process and its request.
func (w *modelWorld) procActs(p *modelProc) []modelAct {
	var acts []modelAct
	may := func(left int, what string) {
		if left > 0 {
			acts = append(acts, modelAct{what: what, slot: p.slot, op: p.op})
		}
	}
	l := w.left
	if p.reading && !p.canceled {
		may(l.cancels, "its reader leaves")
	}
	switch p.op {
	case "":
		if !p.reading && p.reads < w.due {
			may(1, "read")
		}
		return acts
	case opLock:
		if w.disk.lock == nil || w.without == locking || w.without == waiting {
			may(1, "goes on")
		}
	case opWait:
		if !p.msg.answered {
			may(1, "request is delivered")
			may(l.busy, "provider is busy")
		} else {
			may(1, "goes on")
			may(l.garbled, "answer is garbled")
		}
		may(l.losses, "connection breaks")
		may(l.slow, "gives up")
	case opSend:
		may(1, "goes on")
		may(l.unsent, "cannot connect")
	case opReserve:
		may(1, "goes on")
		may(l.badwrite, "badwrite")
	case opCommit, opFlush:
		if !w.disk.full || p.held == nil || !p.held.starved {
			may(1, "goes on") // or else it would fail for ever
		}
		may(l.badwrite, "badwrite")
		may(l.badwrite, "badsync")
		may(l.badspill, "badspill")
	default:
		may(1, "goes on")
	}
	if l.crashes > 0 {
		may(1, "dies")
		for n := 1; n < modelCuts[p.op] && (p.op != opLock || w.disk.lock == nil && len(w.disk.spill) > 0); n++ {
			acts = append(acts, modelAct{what: "dies", slot: p.slot, op: p.op, nth: n})
		}
	}
	return acts
}

// do makes a choice happen.
func (w *modelWorld) do(a modelAct) {
	w.seen()
	if a.slot >= 0 {
		w.doProc(w.procs[a.slot], a)
	} else {
		w.doWorld(a)
	}
	w.settle()
	w.check()
}

func (w *modelWorld) doProc(p *modelProc, a modelAct) {
	l := &w.left
	switch a.what {
	case "read":
		p.read()
	case "goes on":
		w.release(p, modelFate{})
	case "dies":
		l.crashes--
		if a.nth > 0 {
			w.release(p, modelFate{cut: a.nth})
		} else {
			w.kill(p)
		}
	case "its reader leaves":
		l.cancels--
		w.faulty = true
		p.canceled = true
		p.cancel()
	case "request is delivered":
		w.deliver(p.msg)
	case "provider is busy":
		l.busy--
		w.faulty = true
		p.msg.answered, p.msg.status = true, 503
	case "answer is garbled":
		l.garbled--
		w.faulty, w.excused = true, true
		p.msg.body = "<html>"
		w.release(p, modelFate{})
	case "connection breaks":
		l.losses--
		w.faulty, w.excused = true, true
		w.release(p, modelFate{fault: "broken"})
	case "gives up":
		l.slow--
		w.faulty, w.excused = true, true
		time.Sleep(budget)
	case "cannot connect":
		l.unsent--
		w.release(p, modelFate{fault: "unsent"})
	case "badspill":
		l.badspill--
		w.faulty = true
		w.release(p, modelFate{fault: a.what})
	default:
		l.badwrite--
		w.faulty = true
		w.release(p, modelFate{fault: a.what})
	}
}

func (w *modelWorld) doWorld(a modelAct) {
	l, d := &w.left, &w.disk
	w.faulty = w.faulty || a.what != "the token expires" && a.nth == 0
	switch a.what {
	case "delivery":
		w.deliver(w.orphans()[a.nth-1])
	case "loss":
		w.gone(w.orphans()[a.nth-1])
	case "the token expires":
		wait, _ := w.untilDue()
		time.Sleep(wait)
		for _, p := range w.procs {
			p.reads = w.due
		}
		w.due++
	case "the disk is full":
		l.noroom--
		d.full = true
	case "the disk has room again":
		d.full = false
	case "power cut, what is written stays":
		w.powerCut(false)
	case "power cut, what is not synced goes":
		w.powerCut(true)
	case "the record is damaged":
		l.damage--
		d.now = modelRecord{damaged: true}
		d.synced = d.now
	case "an old record is restored":
		l.restored--
		d.now = modelRecord{cred: w.history[len(w.history)-3]}
		d.synced = d.now
		d.newest = 0
	case "logout":
		l.logouts--
		now, _ := d.read()
		d.now = modelRecord{gone: true, cred: credential.Credential{Grant: now.cred.Grant, Generation: now.cred.Generation + 1}}
		d.synced, d.prev, d.intent = d.now, nil, ""
		w.loggedOut = true
		if d.lock == nil {
			d.spill = nil
		}
	case "login":
		l.logins--
		w.login()
	}
}

// powerCut ends all processes. Starting the machine takes longer than a request
// travels.
func (w *modelWorld) powerCut(undo bool) {
	w.left.powercut--
	w.boots++
	d := &w.disk
	if undo {
		d.now = d.synced
	}
	d.synced = d.now
	d.newest = 0
	for _, p := range slices.Clone(w.procs) {
		w.kill(p)
	}
	for _, m := range w.orphans() {
		m.until = time.Now()
	}
}

// login stores what a new login brings.
func (w *modelWorld) login() {
	w.as.families = append(w.as.families, &modelFamily{})
	t := modelToken{family: len(w.as.families) - 1}
	now, _ := w.disk.load()
	now.gone = now.gone || now.cred.Generation == 0 // the first of all
	w.loggedOut = false
	w.disk.replace(now, credential.Credential{
		Key: modelKey, Kind: credential.Refreshable, State: credential.Active,
		Binding: credential.Binding{
			Endpoints: oauth.Endpoints{Token: "https://as.test/token", Revocation: "https://as.test/revoke"},
			ClientID:  "client", AuthStyle: oauth.AuthNone, Dialect: oauth.DialectStandard,
		},
		Grant: fmt.Sprint(t.family), Generation: now.cred.Generation + 1,
		AccessToken: secret.New(t.access()), RefreshToken: secret.New(t.refresh()), IDToken: secret.New("id"),
		TokenType: "Bearer", Scopes: []string{"read"}, ResourceURL: "https://api.test", Extra: secret.New(`{"a":1}`),
		Received: w.Now(), Lifetime: modelLifetime,
	})
}

// untilDue is how long it takes until a reader finds the token due, as the
// production rules have it.
func (w *modelWorld) untilDue() (time.Duration, bool) {
	now, err := w.disk.read()
	if err != nil || now.cred.State != credential.Active {
		return 0, false
	}
	for d := time.Duration(0); d <= 2*modelLifetime; d += time.Second {
		at := w.Now()
		at.Wall, at.Boot = at.Wall.Add(d), at.Boot+d
		switch decide(now.cred, at, w.minTTL(), false).verdict {
		case renew:
			return d, d > 0
		case login:
			return 0, false
		}
	}
	return 0, false
}

// mayExpire: the token is fresh, nobody awaits an answer, and no request would
// outlive what requests live.
func (w *modelWorld) mayExpire() bool {
	d, ok := w.untilDue()
	return ok &&
		w.find(func(p *modelProc) bool { return p.op == opWait }) == nil &&
		!slices.ContainsFunc(w.orphans(), func(m *modelMessage) bool { return m.until.Before(time.Now().Add(d)) })
}
