package credentialtest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

// worker is a child at work.
type worker struct {
	fixture
	job
	stop <-chan struct{} // closed when the parent has seen enough
}

// rotate rotates github's credential and prints "generation old-token
// new-token" for each rotation, or "superseded".
func (w worker) rotate() error {
	for i := range w.N {
		if err := w.rotateOnce(fmt.Sprint(w.Name, "-", i)); err != nil {
			return err
		}
	}
	return nil
}

func (w worker) rotateOnce(tag string) error {
	r, err := w.BeginRotation(w.ctx, github, 0)
	if err != nil {
		return err
	}
	defer r.Release(false)
	old := r.Record()
	if err := r.Reserve(w.ctx); errors.Is(err, credential.ErrConflict) {
		fmt.Println("superseded")
		return r.Release(true)
	} else if err != nil {
		return err
	}
	if err := r.MaySend(w.ctx); err != nil {
		return err
	}
	next, err := r.Commit(w.ctx, padded(old, tag))
	if errors.Is(err, credential.ErrSuperseded) {
		fmt.Println("superseded")
		return r.Discard(w.ctx)
	}
	if err != nil {
		return err
	}
	fmt.Println(next.Generation, old.RefreshToken.Reveal(), next.RefreshToken.Reveal())
	return nil
}

// padded is cred refreshed, of a size that depends on tag, with tag in several
// places, so that a mixture of two would be noticed.
func padded(cred credential.Credential, tag string) credential.Credential {
	cred = refreshed(cred, tag)
	pad := strings.Repeat(tag+".", 20*len(tag)+int(tag[len(tag)-1]))
	cred.Extra = secret.New(fmt.Sprintf(`{"pad":%q,"tag":%q}`, pad, tag))
	cred.ResourceURL = "https://api.test/" + tag
	return cred
}

// checkWhole reports a credential that padded did not make.
func checkWhole(cred credential.Credential) error {
	tag, _ := strings.CutPrefix(cred.RefreshToken.Reveal(), "rt-")
	if want := padded(cred, tag); !cred.Equal(want) {
		return fmt.Errorf("generation %d is a mixture", cred.Generation)
	}
	return nil
}

// settle logs in to github and prints the generation it stored.
func (w worker) settle() error {
	// What only starts and has no living owner may be removed by anybody.
	owner, err := w.NewOwner(w.ctx)
	if err != nil {
		return err
	}
	defer owner.Close()
	for i := range w.N {
		cred, err := w.settleOnce(owner, fmt.Sprint(w.Name, "-", i))
		if err != nil {
			return err
		}
		fmt.Println(cred.Generation)
	}
	return nil
}

// settleOnce logs in to github by a login of that id.
func (w worker) settleOnce(owner credential.Owner, id string) (credential.Credential, error) {
	l, err := w.CreateLogin(w.ctx, sampleLogin(github, id, owner.ID()), 0)
	if err != nil {
		return credential.Credential{}, err
	}
	won := padded(sampleCredential(github, ""), id)
	l.State = credential.Persisting{Won: won}
	if l, err = w.UpdateLogin(w.ctx, l, l.Version); err != nil {
		return credential.Credential{}, err
	}
	_, cred, err := w.Settle(w.ctx, authorized(l), won)
	return cred, err
}

// hold is about to spend github's refresh token, for ever.
func (w worker) hold() error {
	r, err := w.BeginRotation(w.ctx, github, 0)
	if err != nil {
		return err
	}
	if err := r.Reserve(w.ctx); err != nil {
		return err
	}
	fmt.Println("held")
	select {}
}

// supersede rotates github's credential, but keeps the answer back until it is
// stopped: by then another login has overtaken it. It never comes back.
func (w worker) supersede() error {
	r, err := w.BeginRotation(w.ctx, github, 0)
	if err != nil {
		return err
	}
	if err := r.Reserve(w.ctx); err != nil {
		return err
	}
	fmt.Println("held")
	<-w.stop
	if _, err := r.Commit(w.ctx, refreshed(r.Record(), "late")); !errors.Is(err, credential.ErrSuperseded) {
		return fmt.Errorf("a late commit: %v", err)
	}
	fmt.Println("superseded")
	select {}
}

// logout logs out of github and in again, and prints the generation after
// each.
func (w worker) logout() error {
	owner, err := w.NewOwner(w.ctx)
	if err != nil {
		return err
	}
	defer owner.Close()
	cred, err := w.Get(w.ctx, github)
	if err != nil {
		return err
	}
	for i := range w.N {
		if err := w.Delete(w.ctx, github, cred.Generation); err != nil {
			return err
		}
		fmt.Println(cred.Generation + 1)
		if cred, err = w.settleOnce(owner, fmt.Sprint(w.Name, "-", i)); err != nil {
			return err
		}
		fmt.Println(cred.Generation)
	}
	return nil
}

// own owns a pending login of github, and a starting one of qwen, for ever.
func (w worker) own() error {
	o, err := w.NewOwner(w.ctx)
	if err != nil {
		return err
	}
	if _, err := w.CreateLogin(w.ctx, pending(sampleLogin(github, "pending", o.ID())), 0); err != nil {
		return err
	}
	if _, err := w.CreateLogin(w.ctx, sampleLogin(qwen, "starting", o.ID()), 0); err != nil {
		return err
	}
	fmt.Println("owned")
	select {}
}

// create begins a login of github and prints the id of the one there is.
func (w worker) create() error {
	o, err := w.NewOwner(w.ctx)
	if err != nil {
		return err
	}
	l, err := w.CreateLogin(w.ctx, sampleLogin(github, w.Name, o.ID()), 0)
	if err != nil && !errors.Is(err, credential.ErrLoginExists) {
		return err
	}
	fmt.Println(l.ID)
	<-w.stop // the owner lives until everybody has tried
	return o.Close()
}

// read reads github's credential until it is stopped.
func (w worker) read() error {
	var last uint64
	for {
		cred, err := w.Get(w.ctx, github)
		if err != nil {
			return err
		}
		if err := checkWhole(cred); err != nil {
			return err
		}
		if cred.Generation < last {
			return fmt.Errorf("generation went back from %d to %d", last, cred.Generation)
		}
		last = cred.Generation
		for _, err := range w.List(w.ctx) {
			if err != nil {
				return err
			}
		}
		select {
		case <-w.stop:
			fmt.Println(last)
			return nil
		default:
		}
	}
}
