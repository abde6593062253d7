package token

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/secret"
)

// The model's disk answers whatever is asked of it as package filestore does:
// what is proven on the one is worth nothing if the other differs.
func TestModelDisk(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		store, err := filestore.Open(dir)
		if err != nil {
			rt.Fatal(err)
		}
		defer store.Close()
		b := newModelBoth(rt, store, dir)
		defer b.release(false)
		rt.Repeat(map[string]func(*rapid.T){
			"":        b.compare,
			"begin":   b.begin,
			"reserve": b.inRotation(func(r credential.Rotation) error { return r.Reserve(b.ctx) }),
			"commit": b.inRotation(func(r credential.Rotation) error {
				next := r.Record()
				next.RefreshToken = secret.New(modelToken{1, b.n}.refresh())
				next.AccessToken = secret.New(modelToken{1, b.n}.access())
				_, err := r.Commit(b.ctx, next)
				return err
			}),
			"discard":    b.inRotation(func(r credential.Rotation) error { return r.Discard(b.ctx) }),
			"candidates": b.candidates,
			"release":    func(*rapid.T) { b.release(false) },
			"unspent":    func(*rapid.T) { b.release(true) },
			"update":     b.update,
			"logout":     b.logout,
			"login":      b.login,
			"damage":     b.damage,
			"restore":    b.restore,
		})
	})
}

// modelBoth are the two stores, of which each is asked the same.
type modelBoth struct {
	t      *rapid.T
	ctx    context.Context
	stores [2]credential.Store // the model and the real one
	held   [2]credential.Rotation
	w      *modelWorld
	dir    string
	n      int // makes tokens differ
	old    []modelBackup
}

// modelBackup is a copy of cred.json in both stores.
type modelBackup struct {
	model modelRecord
	file  []byte
}

func newModelBoth(t *rapid.T, store credential.Store, dir string) *modelBoth {
	w := &modelWorld{start: time.Now()}
	w.as.families = []*modelFamily{nil}
	b := &modelBoth{t: t, ctx: context.Background(), w: w, dir: dir}
	b.stores = [2]credential.Store{&modelStore{p: &modelProc{w: w, alone: true}}, store}
	b.login(t)
	return b
}

// same compares what both answered.
func (b *modelBoth) same(what string, model, real any) {
	if fmt.Sprint(model) != fmt.Sprint(real) {
		b.t.Fatalf("%s: the model says %v, the file store %v", what, model, real)
	}
}

// class is what callers make of an error.
func (b *modelBoth) class(err error) string {
	var is []error
	for _, known := range []error{credential.ErrNotFound, credential.ErrConflict, credential.ErrSuperseded} {
		if errors.Is(err, known) {
			is = append(is, known)
		}
	}
	return fmt.Sprint(err != nil, is)
}

func modelFacts(c credential.Credential) string {
	return fmt.Sprint(c.Grant, c.Generation, c.State, c.RefreshToken.Reveal(), c.AccessToken.Reveal())
}

func (b *modelBoth) compare(*rapid.T) {
	var got [2]string
	for i, s := range b.stores {
		c, err := s.Get(b.ctx, modelKey)
		if got[i] = b.class(err); err == nil {
			got[i] = modelFacts(c)
		}
	}
	b.same("Get", got[0], got[1])
	if raw, err := os.ReadFile(b.file()); err == nil && !b.w.disk.now.damaged && !b.w.disk.now.gone {
		b.old = append(b.old, modelBackup{b.w.disk.now, raw})
	}
}

func (b *modelBoth) file() string {
	found, err := filepath.Glob(filepath.Join(b.dir, "credentials", "*", "cred.json"))
	if err != nil || len(found) != 1 {
		b.t.Fatalf("cred.json: %v, %v", found, err)
	}
	return found[0]
}

func (b *modelBoth) begin(t *rapid.T) {
	if b.held[0] != nil {
		t.Skip("held")
	}
	var got [2]string
	for i, s := range b.stores {
		r, err := s.BeginRotation(b.ctx, modelKey, 0)
		if got[i] = b.class(err); err == nil {
			b.held[i] = r
			got[i] = fmt.Sprint(modelFacts(r.Record()), r.Interrupted())
		}
	}
	b.same("BeginRotation", got[0], got[1])
}

// inRotation does the same to both rotations.
func (b *modelBoth) inRotation(do func(credential.Rotation) error) func(*rapid.T) {
	return func(t *rapid.T) {
		if b.held[0] == nil {
			t.Skip("not held")
		}
		b.n++
		b.same("rotation", b.class(do(b.held[0])), b.class(do(b.held[1])))
	}
}

func (b *modelBoth) candidates(t *rapid.T) {
	if b.held[0] == nil {
		t.Skip("not held")
	}
	var got [2]string
	for i, r := range b.held {
		found, err := r.Candidates(b.ctx)
		got[i] = b.class(err)
		for _, c := range found {
			got[i] += modelFacts(c)
		}
	}
	b.same("Candidates", got[0], got[1])
}

func (b *modelBoth) release(unspent bool) {
	for _, r := range b.held {
		if r != nil {
			if err := r.Release(unspent); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	b.held = [2]credential.Rotation{}
}

func (b *modelBoth) update(*rapid.T) {
	var got [2]string
	for i, s := range b.stores {
		c, err := s.Get(b.ctx, modelKey)
		if err == nil {
			_, err = s.Update(b.ctx, c, c.Generation)
		}
		got[i] = b.class(err)
	}
	b.same("Update", got[0], got[1])
}

func (b *modelBoth) logout(t *rapid.T) {
	c, err := b.stores[1].Get(b.ctx, modelKey)
	if err != nil {
		t.Skip("not logged in")
	}
	if err := b.stores[1].Delete(b.ctx, modelKey, c.Generation); err != nil {
		b.t.Fatal(err)
	}
	b.w.doWorld(modelAct{what: "logout"})
	b.old = nil
}

func (b *modelBoth) login(*rapid.T) {
	b.w.login()
	c, s := b.w.disk.now.cred, b.stores[1]
	owner, err := s.NewOwner(b.ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	defer owner.Close()
	l, err := s.CreateLogin(b.ctx, credential.Login{
		ID: c.Grant, Key: c.Key, Method: credential.MethodDevice, State: credential.Persisting{Won: c},
		Binding: c.Binding, Owner: owner.ID(), CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	}, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	l.State = credential.Ended{Status: credential.LoginAuthorized, At: time.Now()}
	if _, _, err := s.Settle(b.ctx, l, c); err != nil {
		b.t.Fatal(err)
	}
}

func (b *modelBoth) damage(t *rapid.T) {
	if b.w.disk.now.damaged || b.w.disk.now.gone {
		t.Skip("nothing to damage")
	}
	b.w.doWorld(modelAct{what: "the record is damaged"})
	b.overwrite([]byte("{"))
}

func (b *modelBoth) restore(t *rapid.T) {
	if len(b.old) == 0 || b.w.disk.now.gone {
		t.Skip("no backup")
	}
	backup := rapid.SampledFrom(b.old).Draw(t, "backup")
	b.w.disk.now, b.w.disk.synced = backup.model, backup.model
	b.overwrite(backup.file)
}

func (b *modelBoth) overwrite(data []byte) {
	if err := os.WriteFile(b.file(), data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
