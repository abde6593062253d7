// Package memstore keeps credentials, logins and client registrations in
// memory. It gives every guarantee of [credential.Store] for one process, and
// none of them outlives it.
//
// Use it in tests and in Go programs that embed the broker and keep nothing.
// It starts no goroutine and looks at no clock, so it works in a
// testing/synctest bubble. [Store.Intercept] parks or fails operations.
package memstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/usherauth/usher/credential"
)

// Store is a [credential.Store] in memory. Make one with [New].
//
// Everything is kept in its stored form, so that nothing a caller holds is
// aliased and a value reads back exactly as it would from a file.
type Store struct {
	mu            sync.Mutex
	intercept     func(op string, key credential.Key) error
	slots         map[credential.Key]*slot                    // key -> all that is kept for it
	logins        map[string][]byte                           // login id -> stored form
	changes       []credential.LoginChange                    // the newest changes of logins
	dropped       int                                         // how many came before those
	owners        map[string]bool                             // ids of the living owners
	registrations map[registrationKey]credential.Registration // issuer and redirects -> registration
}

var _ credential.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{
		slots:         make(map[credential.Key]*slot),
		logins:        make(map[string][]byte),
		owners:        make(map[string]bool),
		registrations: make(map[registrationKey]credential.Registration),
	}
}

// Intercept has f called at the start of every operation, with no lock of the
// store held: f may block to park the operation, and an error it returns fails
// the operation before it changed anything. op is the name of the method, such
// as "Settle" or "Commit"; key is zero where the operation has none, or knows
// it only later (those that take a login's id). A nil f ends interception.
func (s *Store) Intercept(f func(op string, key credential.Key) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// begin runs the interceptor. Its error is returned as it is.
func (s *Store) begin(op string, key credential.Key) error {
	s.mu.Lock()
	f := s.intercept
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(op, key)
}

// Close ends every owner of the store. What is stored stays readable.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.owners)
	return nil
}

// Get implements [credential.Store].
func (s *Store) Get(ctx context.Context, key credential.Key) (credential.Credential, error) {
	if err := s.begin("Get", key); err != nil {
		return credential.Credential{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if cred := s.currentLocked(key).cred; cred != nil {
		return *cred, nil
	}
	return credential.Credential{}, notFound(key)
}

// List implements [credential.Store].
func (s *Store) List(ctx context.Context) iter.Seq2[credential.Credential, error] {
	return func(yield func(credential.Credential, error) bool) {
		if err := s.begin("List", credential.Key{}); err != nil {
			yield(credential.Credential{}, err)
			return
		}
		for _, cred := range s.all() {
			if !yield(cred, nil) {
				return
			}
		}
	}
}

func (s *Store) all() []credential.Credential {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []credential.Credential
	for key := range s.slots {
		if cred := s.currentLocked(key).cred; cred != nil {
			all = append(all, *cred)
		}
	}
	slices.SortFunc(all, func(a, b credential.Credential) int { return a.Key.Compare(b.Key) })
	return all
}

// Stamp implements [credential.Store]; the stamp is the generation.
func (s *Store) Stamp(ctx context.Context, key credential.Key) (string, error) {
	if err := s.begin("Stamp", key); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.currentLocked(key); now.generation > 0 {
		return strconv.FormatUint(now.generation, 10), nil
	}
	return "", nil
}

// slot is everything kept for one key.
type slot struct {
	data     []byte        // stored form of the credential or its tombstone; nil before the first
	rotation chan struct{} // holds a value while a rotation is under way; capacity 1
	intent   *spent        // what an unfinished rotation was about to spend
	aside    []*kept       // what superseded commits left
	salvaged []string      // what Salvage was given
}

// current is a slot's record, read.
type current struct {
	cred       *credential.Credential // nil: deleted or never stored
	grant      string
	generation uint64
}

func (s *Store) currentLocked(key credential.Key) current {
	sl := s.slots[key]
	if sl == nil || sl.data == nil {
		return current{}
	}
	cred, tomb, err := credential.Decode(sl.data)
	if err != nil {
		panic(fmt.Sprintf("memstore: internal error: %v", err))
	}
	if tomb != nil {
		return current{grant: tomb.Grant, generation: tomb.Generation}
	}
	return current{cred: cred, grant: cred.Grant, generation: cred.Generation}
}

func (s *Store) slotLocked(key credential.Key) *slot {
	sl := s.slots[key]
	if sl == nil {
		sl = &slot{rotation: make(chan struct{}, 1)}
		s.slots[key] = sl
	}
	return sl
}

// putLocked stores cred and returns it as it will be read.
func (s *Store) putLocked(cred credential.Credential) (credential.Credential, error) {
	data, err := credential.Encode(cred)
	if err != nil {
		return credential.Credential{}, err
	}
	if _, _, err := credential.Decode(data); err != nil {
		return credential.Credential{}, err
	}
	s.slotLocked(cred.Key).data = data
	return *s.currentLocked(cred.Key).cred, nil
}

func newID() string { return strings.ToLower(rand.Text()) }

func notFound(what fmt.Stringer) error {
	return fmt.Errorf("credential %s: %w", what, credential.ErrNotFound)
}
