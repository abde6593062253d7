package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// A point is a failpoint that every refresh comes by.
type point struct {
	name string
	// window: see death.
	window bool
}

// The failpoints of a refresh, in order. Before each step of a rotation there is
// one, and the store has one after each thing that it makes durable.
var points = []point{
	{"token.lock", false},
	{"token.reread", false},
	{"token.prepare", false},
	{"token.reserve", false},
	{"store.previous", false},
	{"store.reserved", false},
	{"store.intent", false},
	{"token.send", false},
	{"token.persist", true},
	{"store.committed", false},
	{"store.intent-cleared", false},
	{"token.release", false},
}

// atPoint kills at a failpoint. One that follows another kill may not come by it:
// the token is good if that one was stored, and gone if its answer was lost.
func atPoint(program string, p point, must bool) killer {
	return func(s *stock, key string) (death, error) {
		cmd := s.command(key, program, "token", key)
		cmd.Env = append(cmd.Env, "USHER_FAILPOINT="+p.name)
		e := s.run(cmd)
		switch {
		case e.signal == syscall.SIGKILL && e.stdout == "":
			return death{killed: true, where: p.name, window: p.window, exact: true}, nil
		case !must && (e.code == exitOK || e.code == exitLoginNeeded):
			return death{where: p.name}, nil
		}
		return death{}, fmt.Errorf("%s was not come by: %v", p.name, e)
	}
}

// TestRefreshSurvivesKillAtEachPoint kills a refresh at each failpoint, and two
// in a row at each pair of them: the second is the recovery from the first,
// which comes by its point unless the first was stored. Only a kill between the
// answer and its being stored costs a login, and that on a strict server alone.
func TestRefreshSurvivesKillAtEachPoint(t *testing.T) {
	t.Parallel()
	t.Logf("-crash.seed=%d", *crashSeed)
	for _, rotation := range rotations {
		t.Run(rotation, func(t *testing.T) {
			t.Parallel()
			program := failpointed(t)
			var trials []trial
			for _, p := range points {
				trials = append(trials, trial{p.name, []killer{atPoint(program, p, true)}})
			}
			for _, pair := range pairs() {
				trials = append(trials, trial{
					pair[0].name + ", " + pair[1].name,
					[]killer{atPoint(program, pair[0], true), atPoint(program, pair[1], false)},
				})
			}
			verdicts := crash(t, rotation, trials)
			for _, v := range verdicts[:len(points)] {
				t.Logf("%-22s lost: %t", v.name, v.lost)
			}
			killed, _, lost := tally(verdicts)
			t.Logf("%d refreshes were killed, %d logins lost", killed, lost)
		})
	}
}

// pairs are all pairs of points, or a sample of them.
func pairs() (all [][2]point) {
	for _, p := range points {
		for _, q := range points {
			all = append(all, [2]point{p, q})
		}
	}
	if !*crashLong {
		random := rand.New(rand.NewPCG(*crashSeed, 1))
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:24]
	}
	return all
}

// A detour is a failpoint that a refresh comes by only when something happens to
// it.
type detour struct {
	name, point string
	// faults is the sandbox's plan.
	faults string
	// meanwhile happens while the answer is on its way.
	meanwhile func(s *stock, key string)
	// after is what is left to see.
	after func(s *stock, key string) error
	// shared: the tokens are shared with another tool.
	shared bool
	// losses is the mode of rotation in which the login is lost; "" for none.
	losses string
}

const slowAnswer = `[{"endpoint": "token.refresh", "calls": [1], "do": {"answer_delay_ms": 2000}}]`

var detours = []detour{
	{
		name: "a lost request", point: "token.wait",
		faults: `[{"endpoint": "token.refresh", "calls": [1], "do": {"drop": "before"}}]`, after: works(1),
	},
	{
		name: "a lost answer", point: "token.wait",
		faults: `[{"endpoint": "token.refresh", "calls": [1], "do": {"drop": "after"}}]`, after: works(1), losses: "strict",
	},
	{
		name: "a refusal", point: "token.refused",
		faults: `[{"endpoint": "token.refresh", "calls": [1], "do": {"oauth_error": "invalid_grant"}}]`, after: works(1),
	},
	{
		name: "a refusal that may be of an old token", point: "token.candidate",
		faults: `[{"endpoint": "token.refresh", "calls": [1], "do": {"oauth_error": "invalid_grant"}}]`, after: works(1),
	},
	{
		name: "a refusal to be stored", point: "token.demote",
		faults: `[{"endpoint": "token.refresh", "calls": [1], "do": {"oauth_error": "invalid_grant"}}]`, after: works(1),
	},
	{
		name: "an answer put aside", point: "store.spilled",
		faults: slowAnswer, meanwhile: (*stock).inTheWayOfCommit, after: installs,
	},
	{
		// A logout waits 5 s for a rotation.
		name: "a logout", point: "token.superseded",
		faults:    `[{"endpoint": "token.refresh", "calls": [1], "do": {"answer_delay_ms": 9000}}]`,
		meanwhile: (*stock).logOut, after: staysOut,
	},
	{
		name: "a login", point: "token.overtaken",
		faults:    `[{"endpoint": "token.refresh", "calls": [1], "do": {"delay_ms": 3000, "oauth_error": "invalid_grant"}}]`,
		meanwhile: func(s *stock, key string) { s.logIn(key) }, after: works(anyNumber),
	},
	// What a kill leaves of the other tool's lock goes stale after 10 s.
	{name: "a shared file to be locked", point: "token.share-lock", faults: `[]`, shared: true, after: inStep},
	{name: "a shared file to be read", point: "token.share-read", faults: `[]`, shared: true, after: inStep},
	{name: "a shared file, nothing sent yet", point: "token.send", faults: `[]`, shared: true, after: inStep},
	{name: "a shared file, nothing stored yet", point: "token.persist", faults: `[]`, shared: true, after: inStep, losses: "strict"},
	{name: "a shared file to be written", point: "token.share-write", faults: `[]`, shared: true, after: inStep},
}

// TestRefreshSurvivesKillOnDetours kills at the failpoints that an undisturbed
// refresh does not come by.
func TestRefreshSurvivesKillOnDetours(t *testing.T) {
	t.Parallel()
	for _, d := range detours {
		for _, rotation := range modes(d.losses) {
			t.Run(rotation+" "+d.name, func(t *testing.T) {
				t.Parallel()
				d.run(t, rotation, failpointed(t))
			})
		}
	}
}

func (d *detour) run(t *testing.T, rotation, program string) {
	faults := filepath.Join(t.TempDir(), "faults.json")
	if err := os.WriteFile(faults, []byte(d.faults), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStock(t, 1, "--rotation", rotation, "--faults", faults)
	key := s.keys[0]
	if d.shared {
		s.logIn(key, "--share-with", "qwen")
		s.expire()
	}
	before, err := s.stored(key)
	if err != nil {
		t.Fatal(err)
	}
	killed := make(chan error)
	go func() {
		_, err := atPoint(program, point{name: d.point}, true)(s, key)
		killed <- err
	}()
	if d.meanwhile != nil {
		oidcprovider.Poll(t, "the request", func() bool { return s.box.arrived("token.refresh") == 1 })
		d.meanwhile(s, key)
	}
	if err := <-killed; err != nil {
		t.Fatal(err)
	}
	if d.point == "store.spilled" {
		s.outOfTheWay(key)
	}
	if after, err := s.stored(key); d.point != "token.superseded" && (err != nil || after.Generation < before.Generation) {
		t.Fatalf("after the kill: %+v, %v; generation %d before", after, err, before.Generation)
	}
	if d.losses == rotation {
		if _, lost, err := s.renewed(key); err != nil || !lost {
			t.Errorf("lost: %t, %v", lost, err)
		}
		return
	}
	if err := d.after(s, key); err != nil {
		t.Error(err)
	}
}

const anyNumber = -1

// works is that tokens are to be had, now and when that one has expired, and
// that the first takes so many refreshes, or anyNumber.
func works(refreshes int) func(*stock, string) error {
	return func(s *stock, key string) error {
		before := s.box.arrived("token.refresh")
		first, lost, err := s.renewed(key)
		if err != nil || lost {
			return fmt.Errorf("lost: %t, %v", lost, err)
		}
		if n := s.box.arrived("token.refresh") - before; n != refreshes && refreshes != anyNumber {
			return fmt.Errorf("%d refreshes, want %d", n, refreshes)
		}
		s.expire()
		second, lost, err := s.renewed(key)
		if err != nil || lost || second == first {
			return fmt.Errorf("when it has expired: lost: %t, the same: %t, %v", lost, second == first, err)
		}
		requests, issued := s.box.refreshes()
		if !issued[first] || !issued[second] {
			return fmt.Errorf("a token was handed out that the sandbox has not issued")
		}
		for _, r := range requests[key] {
			if r.Reuse {
				return fmt.Errorf("a spent token was presented")
			}
		}
		return nil
	}
}

// inStep is that tokens are to be had, and that the other tool has the newest.
func inStep(s *stock, key string) error {
	if err := works(anyNumber)(s, key); err != nil {
		return err
	}
	theirs, err := os.ReadFile(filepath.Join(s.base, ".qwen", "oauth_creds.json"))
	if err != nil {
		return err
	}
	ours, err := os.ReadFile(filepath.Join(s.folder(key), "cred.json"))
	if err != nil {
		return err
	}
	type tokens struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	if a, b := decode[tokens](s.t, string(theirs)), decode[tokens](s.t, string(ours)); a != b || a.RefreshToken == "" {
		return fmt.Errorf("the other tool has %+v, want %+v", a, b)
	}
	return nil
}

// inTheWayOfCommit puts a folder where the credential was.
func (s *stock) inTheWayOfCommit(key string) {
	s.t.Helper()
	cred := filepath.Join(s.folder(key), "cred.json")
	if err := os.Rename(cred, cred+".away"); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Mkdir(cred, 0o700); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stock) outOfTheWay(key string) {
	s.t.Helper()
	cred := filepath.Join(s.folder(key), "cred.json")
	if err := os.Remove(cred); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(cred+".away", cred); err != nil {
		s.t.Fatal(err)
	}
}

// installs is that the answer which was put aside is used, and no other asked
// for.
func installs(s *stock, key string) error {
	// The answer has been there for longer than its token lives, or has not: in
	// both cases its refresh token is the one that goes on.
	s.expire()
	return works(1)(s, key)
}

func (s *stock) logOut(key string) {
	s.t.Helper()
	if e := s.run(s.command(key, binary, "logout", key)); e.code != exitOK {
		s.t.Fatalf("logging out: %v", e)
	}
}

// staysOut is that a logout is final.
func staysOut(s *stock, key string) error {
	for range 2 {
		e := s.run(s.token(key))
		if e.code != exitLoginNeeded || e.stdout != "" || !strings.Contains(e.stderr, "usher login "+key) {
			return fmt.Errorf("token after a logout: %v", e)
		}
		if e := s.run(s.command(key, binary, "status", "--json")); e.code != exitOK || strings.TrimSpace(e.stdout) != "[]" {
			return fmt.Errorf("status after a logout: %v", e)
		}
	}
	return nil
}
