package token_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/token"
)

// What comes late: readings, answers and files from before a change.

// A slow reading does not undo what a faster one, begun after it, has found.
func TestSlowReading(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(f *fixture)
		want   string // after it; "" for no token
	}{
		{"before a refresh elsewhere", func(f *fixture) {
			c := f.stored()
			c.AccessToken, c.RefreshToken = hide("at-2"), hide("rt-2")
			if _, err := f.store.Update(context.Background(), c, c.Generation); err != nil {
				f.t.Error(err)
			}
		}, "at-2"},
		{"before a logout elsewhere", func(f *fixture) { f.logout() }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, time.Hour)
				late := &lateStore{Store: f.store}
				m := f.managerWith(token.Config{Store: late})
				read := func() {
					t.Helper()
					got, err := m.Token(t.Context(), key, 0)
					if got.AccessToken.Reveal() != tt.want || (err == nil) != (tt.want != "") {
						t.Errorf("Token = %q, %v, want %q", got.AccessToken.Reveal(), err, tt.want)
					}
				}
				late.after = func() {
					tt.change(f)
					read()
				}
				f.want(m, 0, "at-1") // began before the change
				read()
			})
		})
	}
}

// after is a store that goes on with something when a rotation has begun, or
// has stored its token.
type after struct {
	credential.Store
	begun, committed func()
}

func (a *after) BeginRotation(ctx context.Context, k credential.Key, seen uint64) (credential.Rotation, error) {
	r, err := a.Store.BeginRotation(ctx, k, seen)
	if err == nil && a.begun != nil {
		a.begun()
	}
	return afterRotation{r, a}, err
}

type afterRotation struct {
	credential.Rotation
	a *after
}

func (r afterRotation) Commit(ctx context.Context, next credential.Credential) (credential.Credential, error) {
	c, err := r.Rotation.Commit(ctx, next)
	if err == nil && r.a.committed != nil {
		r.a.committed()
	}
	return c, err
}

// A rotation that has stored its token, but not yet told, does not bring that
// back after a login or a logout that readers have seen.
func TestChangeBeforeARotationTells(t *testing.T) {
	for _, login := range []bool{true, false} {
		t.Run(map[bool]string{true: "login", false: "logout"}[login], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, time.Hour)
				a := &after{Store: f.store}
				m := f.managerWith(token.Config{Store: a})
				want := ""
				read := func() {
					t.Helper()
					got, err := m.Token(t.Context(), key, 0)
					if got.AccessToken.Reveal() != want || (err == nil) != login {
						t.Errorf("Token = %q, %v, want %q", got.AccessToken.Reveal(), err, want)
					}
				}
				a.committed = func() {
					f.logout()
					if login {
						c := f.credential(time.Hour)
						c.AccessToken, c.RefreshToken = hide("at-new"), hide("rt-new")
						seed(t, f.store, c)
						want = "at-new"
						read()
						return
					}
					// Whoever reads now asks the store, for memory holds what has ended.
					ctx, cancel := context.WithCancel(t.Context())
					cancel()
					if _, err := m.Token(ctx, key, 0); err == nil {
						t.Error("Token succeeded after the logout")
					}
				}
				time.Sleep(time.Hour)
				f.want(m, 0, "at-2") // as it was stored
				read()
			})
		})
	}
}

// A logout that comes before a rotation has the tool's lock: nothing is put
// into the tool's file again.
func TestLogoutBeforeRestoring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		a := &after{Store: f.store}
		m := f.managerWith(token.Config{Store: a, Share: o.open})
		a.begun = func() {
			a.begun = nil
			c := f.stored()
			f.logout()
			if err := f.m.Unshare(context.Background(), c); err != nil {
				t.Error(err)
			}
		}
		o.removes()
		f.want(m, 0, "at-1") // sets off the repair of the file
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a.begun != nil {
			t.Fatal("no rotation began")
		}
		o.want("")
	})
}

// An old copy of the tool's file, put back by hand or from a backup, holds a
// token that was spent: it is not sent again, however old it is.
func TestOldFileIsPutBack(t *testing.T) {
	for _, n := range []string{"1", "2", "3"} {
		t.Run("generation "+n, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, o := newSharing(t, time.Hour)
				for _, want := range []string{"2", "3", "4"} {
					time.Sleep(time.Hour)
					f.want(f.m, 0, "at-"+want)
				}
				o.has(n, time.Now().Add(time.Hour))
				time.Sleep(time.Hour)
				f.want(f.m, 0, "at-5")
				o.want("5")
				f.wantSeen("rt-1", "rt-2", "rt-3", "rt-4")
			})
		})
	}
}

// So it is with a token of ours that the tool has spent.
func TestOldFileAfterAdoption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		time.Sleep(time.Hour)
		f.provider.gen = 2
		o.has("2", time.Now().Add(time.Hour))
		f.want(f.m, 0, "at-2")
		o.has("1", time.Now().Add(time.Hour))
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-3")
		f.wantSeen("rt-2")
	})
}

// An import of the token that a refresh has just sent does not lose the answer,
// which is the only token that works, and nothing is revoked.
func TestImportOfTheTokenOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = slowly(func() { seed(t, f.store, f.credential(time.Hour)) })
		time.Sleep(time.Hour)
		f.want(f.m, time.Hour, "at-2")
		if got := f.provider.revocations(); len(got) != 0 {
			t.Errorf("revoked %v, want nothing", got)
		}
		if c := f.stored(); c.RefreshToken.Reveal() != "rt-2" || c.Generation != 3 {
			t.Errorf("stored %s in generation %d, want rt-2 in 3", c.RefreshToken.Reveal(), c.Generation)
		}
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-3")
	})
}

// What a login shares with the orphan of another is not revoked: a server may
// go on with the same refresh token.
func TestRevokeOrphansKeepsWhatIsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		var discarded []string
		orphan := func(access, refresh string) credential.Orphan {
			c := f.credential(time.Hour)
			c.Grant, c.AccessToken, c.RefreshToken = "gone", hide(access), hide(refresh)
			return credential.Orphan{Credential: c, Discard: func(context.Context) error {
				discarded = append(discarded, access+" "+refresh)
				return nil
			}}
		}
		m := f.managerWith(token.Config{Store: &orphanage{Store: f.store, orphans: []credential.Orphan{
			orphan("at-0", "rt-1"), orphan("at-1", ""), orphan("at-0", "rt-0"),
		}}})
		if err := m.RevokeOrphans(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := f.provider.revocations(), []string{"rt-0"}; !slices.Equal(got, want) {
			t.Errorf("revoked %v, want %v", got, want)
		}
		if len(discarded) != 3 {
			t.Errorf("discarded %v, want all", discarded)
		}
	})
}

// So it is when the login comes while the server repeats the token.
func TestLoginWithTheTokenOfARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = slowly(func() {
			c := f.credential(time.Hour)
			c.AccessToken, c.RefreshToken = hide("at-new"), hide("rt-2")
			seed(t, f.store, c)
		})
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-new")
		if got := f.provider.revocations(); len(got) != 0 {
			t.Errorf("revoked %v, want nothing", got)
		}
	})
}

// emptied is a store that somebody removes from under its users.
type emptied struct {
	credential.Store
	gone atomic.Bool
}

func (e *emptied) Stamp(ctx context.Context, k credential.Key) (string, error) {
	if e.gone.Load() {
		return "", nil
	}
	return e.Store.Stamp(ctx, k)
}

func (e *emptied) Get(ctx context.Context, k credential.Key) (credential.Credential, error) {
	if e.gone.Load() {
		return credential.Credential{}, credential.ErrNotFound
	}
	return e.Store.Get(ctx, k)
}

// A store that is removed right after a refresh takes the token from memory.
func TestStoreRemovedAfterRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		store := &emptied{Store: f.store}
		m := f.managerWith(token.Config{Store: store})
		time.Sleep(time.Hour)
		f.want(m, 0, "at-2")
		store.gone.Store(true)
		time.Sleep(1500 * time.Millisecond)
		if got, err := m.Token(t.Context(), key, 0); err == nil {
			t.Errorf("Token = %s, want an error", got.AccessToken.Reveal())
		}
	})
}

// What the tool gets right after its file was restored is adopted as soon as
// anything else.
func TestToolRefreshesAfterRestoring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		f.want(f.m, 0, "at-1")
		o.removes()
		for !slices.Contains(f.eventTypes(), token.ShareRestored) {
			time.Sleep(100 * time.Millisecond)
			f.want(f.m, 0, "at-1")
		}
		f.provider.gen = 2
		o.has("2", time.Now().Add(time.Hour))
		time.Sleep(2500 * time.Millisecond)
		f.want(f.m, 0, "at-2")
	})
}
