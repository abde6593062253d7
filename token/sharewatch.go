package token

import (
	"context"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/share"
)

const (
	// restoreSpacing is the least time between two repairs of the tool's file:
	// a tool that insists on removing it is not fought every second.
	restoreSpacing = 30 * time.Second
	// maxRestoreSpacing is what that grows to while repairs do not succeed.
	maxRestoreSpacing = 16 * time.Minute
)

// shareWatch remembers what was seen of a tool's file. Its entry's lock guards
// it.
type shareWatch struct {
	// stamp is the file's, when nothing was to be done about it beside a record
	// of generation; 0 if that was never so.
	stamp      string
	generation uint64
	mended     time.Time // the last try to write it
	failures   int       // tries since it was in step
}

// inStep reports whether nothing has changed since the file was in step with
// generation.
func (w *shareWatch) inStep(stamp string, generation uint64) bool {
	return w.generation == generation && w.stamp == stamp
}

// remembers reports whether there is something in w that the next try is to be
// counted with.
func (w *shareWatch) remembers() bool {
	return w.failures > 0 && time.Since(w.mended) < maxRestoreSpacing+restoreSpacing
}

// mayMend reports whether the file may be written now, and counts that.
func (w *shareWatch) mayMend() bool {
	spacing := min(restoreSpacing<<max(w.failures-1, 0), maxRestoreSpacing)
	if !w.mended.IsZero() && time.Since(w.mended) < spacing {
		return false
	}
	w.mended = time.Now()
	w.failures = min(w.failures+1, 6)
	return true
}

// watchShare starts a rotation if the file of the tool that shares c, the newest
// record known, is out of step with it. When it was in step, it looks at the
// file's stamp alone.
func (m *Manager) watchShare(e *entry, c credential.Credential) {
	if c.Share.Tool == "" {
		return
	}
	file, err := m.cfg.Share(c.Share.Tool)
	if err != nil {
		return // as the next refresh will say
	}
	stamp, err := file.Stamp()
	if err != nil {
		return
	}
	e.mu.Lock()
	known := e.watch.inStep(stamp, c.Generation)
	e.mu.Unlock()
	if known {
		return
	}
	found, err := file.Read()
	if err != nil && !share.IsMissing(err) {
		return
	}
	relation := share.Compare(c, found, err)
	if !needsMending(c, relation, found, m.clock.Now()) {
		e.inStep(stamp, c.Generation)
		return
	}
	if !e.mayMend(relation) {
		return
	}
	// Nobody waits for it, and once closed there is nothing to do.
	_, _, _ = m.start(context.Background(), e, plan{goal: goalShare, seen: c.Generation})
}

// inStep takes note that nothing is to be done about the tool's file, found with
// stamp, while the record is of generation.
func (e *entry) inStep(stamp string, generation uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.watch = shareWatch{stamp: stamp, generation: generation, mended: e.watch.mended}
}

// mayMend reports whether something is to be done about the tool's file now, and
// counts that.
func (e *entry) mayMend(relation share.Relation) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flight != nil {
		return false // which deals with it as well
	}
	if relation == share.Theirs && e.watch.failures == 0 {
		e.watch.failures++
		return true // at once: it may be the only token that works
	}
	return e.watch.mayMend()
}
