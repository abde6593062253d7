package token

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// state describes the world in so far as it decides what can happen. Processes
// that differ in name only are one and the same.
func (w *modelWorld) state() string {
	var b strings.Builder
	d := &w.disk
	fmt.Fprintf(&b, "%s|%v|", d.now.state(w), d.full)
	if !d.synced.cred.Equal(d.now.cred) {
		fmt.Fprintf(&b, "unsynced %s|", d.synced.state(w))
	}
	if d.prev != nil {
		fmt.Fprintf(&b, "prev %d %s|", d.prev.cred.Generation, d.prev.cred.RefreshToken.Reveal())
	}
	fmt.Fprintf(&b, "intent %s|", d.intent)
	for _, a := range d.spill {
		fmt.Fprintf(&b, "aside %d %s %s|", a.cred.Generation, a.cred.Grant, a.cred.RefreshToken.Reveal())
	}
	for _, f := range w.as.families {
		fmt.Fprintf(&b, "%v|", *f)
	}
	for _, m := range w.orphans() {
		fmt.Fprintf(&b, "orphan %v %d|", m.token, time.Until(m.until)/(5*time.Second))
	}
	fmt.Fprintf(&b, "%v %d %v %v %v %v %v|", w.left, w.due, w.faulty, w.excused, w.twoLive, w.replay, w.wrong)
	procs := make([]string, len(w.procs))
	for i, p := range w.procs {
		procs[i] = p.state()
	}
	slices.Sort(procs)
	b.WriteString(strings.Join(procs, "|"))
	return b.String()
}

func (r modelRecord) state(w *modelWorld) string {
	c := r.cred
	age := w.Now().Wall.Sub(c.Received.Wall)
	hold := c.HoldOffUntil.Sub(w.Now().Wall)
	return fmt.Sprintf("%v %v %s %d %s %s %v %d %d", r.gone, r.damaged, c.Grant, c.Generation, c.State,
		c.RefreshToken.Reveal()+c.AccessToken.Reveal(), c.HoldOffUntil.IsZero(),
		min(age, 2*modelLifetime)/(5*time.Second), max(hold, 0)/(5*time.Second))
}

func (p *modelProc) state() string {
	var msg, memory string
	if p.msg != nil {
		msg = fmt.Sprintf("%v %v %s", p.msg.token, p.msg.answered, p.msg.body)
	}
	if e := (*p.m.entries.Load())[modelKey]; e != nil {
		if s := e.snap.Load(); s != nil && p.m.decide(s.cred, 0).usable {
			memory = fmt.Sprintf("%d %s", s.cred.Generation, s.cred.AccessToken.Reveal())
		}
		e.mu.Lock()
		memory += fmt.Sprint(e.back.err != nil && time.Now().Before(e.back.until), e.flight != nil)
		e.mu.Unlock()
	}
	log := p.log.String()
	if p.op == "" {
		log = ""
	}
	return fmt.Sprintf("%s %v %v %d %s %v %v %s %s", p.op, p.reading, p.canceled, p.reads, msg,
		p.w.disk.lock != nil && p.w.disk.lock.p == p, p.spent, memory, log)
}
