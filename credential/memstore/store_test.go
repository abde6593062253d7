package memstore_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/credentialtest"
	"github.com/usherauth/usher/credential/memstore"
)

func TestStore(t *testing.T) {
	credentialtest.Run(t, func(t *testing.T) credential.Store { return memstore.New() })
}

func TestStoreInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		key := credential.Key{Provider: "github", Account: "default"}
		parked, resume := make(chan struct{}), make(chan struct{})
		s.Intercept(func(op string, k credential.Key) error {
			if op == "Get" && k == key {
				close(parked)
				<-resume
			}
			return nil
		})
		done := make(chan error)
		go func() {
			_, err := s.Get(t.Context(), key)
			done <- err
		}()
		<-parked
		synctest.Wait()
		// Parked with no lock held: others go on.
		if _, err := s.Stamp(t.Context(), key); err != nil {
			t.Errorf("Stamp beside a parked Get: %v", err)
		}
		close(resume)
		if err := <-done; !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("Get = %v, want ErrNotFound", err)
		}
	})
}

func TestInterceptFails(t *testing.T) {
	s := memstore.New()
	broken := errors.New("disk on fire")
	var ops []string
	s.Intercept(func(op string, key credential.Key) error {
		ops = append(ops, op)
		return broken
	})
	if _, err := s.NewOwner(t.Context()); !errors.Is(err, broken) {
		t.Errorf("NewOwner = %v, want the interceptor's error", err)
	}
	if _, err := s.CreateLogin(t.Context(), credential.Login{}, 0); !errors.Is(err, broken) {
		t.Errorf("CreateLogin = %v, want the interceptor's error", err)
	}
	for _, err := range s.List(t.Context()) {
		if !errors.Is(err, broken) {
			t.Errorf("List yields %v, want the interceptor's error", err)
		}
	}
	if len(ops) != 3 || ops[0] != "NewOwner" || ops[1] != "CreateLogin" || ops[2] != "List" {
		t.Errorf("intercepted %q, want NewOwner, CreateLogin, List", ops)
	}
	s.Intercept(nil)
	if _, err := s.NewOwner(t.Context()); err != nil {
		t.Errorf("NewOwner = %v", err)
	}
}
