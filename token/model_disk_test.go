package token

import (
	"errors"
	"slices"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

// modelDisk is one credential's folder of package filestore: what stands in
// its files and who holds its lock. TestModelDisk holds the two together.
type modelDisk struct {
	now    modelRecord  // cred.json
	synced modelRecord  // what a power cut would leave of it
	writer *modelProc   // who has written it and not synced it yet
	prev   *modelRecord // cred.prev
	intent string       // the refresh token that it names; empty for no intent
	spill  []*modelAside
	lock   *modelRotation
	raw    int // answers that could not be understood
	full   bool
	newest uint64 // generation
}

// modelRecord is what cred.json holds.
type modelRecord struct {
	cred    credential.Credential // of a tombstone, grant and generation alone
	gone    bool                  // it is a tombstone
	damaged bool                  // it cannot be read
}

// overtakes reports whether p, which may be nil, is further on than c.
func (p *modelRecord) overtakes(c credential.Credential) bool {
	return p != nil && !p.gone && p.cred.Grant == c.Grant && p.cred.Generation > c.Generation
}

// modelAside is an answer in spill/.
type modelAside struct {
	cred  credential.Credential
	spent secret.String
}

func (a modelAside) succeeds(c credential.Credential) bool {
	return a.cred.Grant == c.Grant &&
		(a.cred.Generation > c.Generation || a.spent.Equal(c.RefreshToken) && !a.cred.RefreshToken.Equal(c.RefreshToken))
}

var (
	errModelFull = errors.New("no space left on device")
	errModelIO   = errors.New("input/output error")
)

// load is the record, or the one before it where it is damaged.
func (d *modelDisk) load() (modelRecord, error) {
	if !d.now.damaged {
		return d.now, nil
	}
	lost := modelRecord{damaged: true, cred: credential.Credential{Generation: 1}}
	if d.prev != nil {
		lost.cred.Generation = d.prev.cred.Generation + 1
	}
	if d.prev == nil || d.prev.gone {
		return lost, errors.New("the file is damaged and there is no earlier one")
	}
	generation := lost.cred.Generation
	lost.cred = d.prev.cred
	lost.cred.Generation = generation
	return lost, nil
}

// read is load for those who need a credential.
func (d *modelDisk) read() (modelRecord, error) {
	now, err := d.load()
	if err == nil && now.gone {
		err = credential.ErrNotFound
	}
	return now, err
}

// keepPrevious makes the record the previous one, but for what is further on.
func (d *modelDisk) keepPrevious(now modelRecord) {
	if now.damaged || d.prev.overtakes(now.cred) {
		return
	}
	d.prev = &now
}

// replace is a whole write, synced.
func (d *modelDisk) replace(now modelRecord, next credential.Credential) {
	d.keepPrevious(now)
	d.now = modelRecord{cred: next}
	d.synced = d.now
}

func (d *modelDisk) discard(a *modelAside) {
	d.spill = slices.DeleteFunc(slices.Clone(d.spill), func(b *modelAside) bool { return a == b })
}

// died frees what the kernel frees.
func (d *modelDisk) died(p *modelProc) {
	if d.lock != nil && d.lock.p == p && p.w.without != lockThatOutlives {
		d.lock = nil
	}
}
