package token

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// The model test of the refresh protocol: every order in which up to three
// processes can act, with deaths at every step, lost messages, slow answers and
// failing disks between them, over several expiries in a row. It runs the
// production code, Manager.Token and with it every step of rotation.do, on a
// model of the disk, the network and the provider; see modelWorld. What must
// hold after every act is in model_check_test.go.

var modelLong = flag.Bool("model.long", false, "explore larger worlds: minutes instead of seconds")

// modelRow is a world with the size it has in the long form, and without it.
type modelRow struct {
	name string
	cfg  modelConfig
	long func(*modelConfig) // unless nil, makes it larger
	// spoiled are the invariants that are violated, at least; nil for none at
	// all. The search ends there but for the long form.
	spoiled []string
}

func (r modelRow) config() modelConfig {
	if *modelLong && r.long != nil {
		r.long(&r.cfg)
	}
	return r.cfg
}

func threeProcs(c *modelConfig) { c.procs = 3 }

// twoCrashesAndLosses is as far as the reference went.
func twoCrashesAndLosses(c *modelConfig) { c.procs, c.faults.crashes, c.faults.losses = 3, 2, 2 }

// modelRows are worlds in which the whole protocol holds, and those that show
// what is lost without one of the great rules.
var modelRows = []modelRow{
	{name: "A  strict, no faults, 1 expiry", cfg: modelConfig{procs: 3, expiries: 1, provider: modelStrict}},
	{name: "A  strict, no faults", cfg: modelConfig{procs: 3, expiries: 2, provider: modelStrict}},
	{name: "A  strict, no faults, 3 expiries", cfg: modelConfig{procs: 3, expiries: 3, provider: modelStrict}},
	{name: "B  no lock, strict", cfg: modelConfig{procs: 2, expiries: 2, provider: modelStrict, without: locking},
		spoiled: []string{"I1", "I2", "I6", "I8"}},
	{name: "B  no lock, grace, 1 expiry", cfg: modelConfig{procs: 2, expiries: 1, provider: modelGrace, without: locking},
		spoiled: []string{"I1"}},
	{name: "B  no lock, grace", cfg: modelConfig{procs: 2, expiries: 2, provider: modelGrace, without: locking},
		spoiled: []string{"I1", "I2", "I7"}},
	{name: "C  token read before the lock, strict", cfg: modelConfig{procs: 3, expiries: 2, provider: modelStrict, without: rereading},
		spoiled: []string{"I2", "I8"}},
	{name: "C  token read before the lock, grace", cfg: modelConfig{procs: 3, expiries: 2, provider: modelGrace, without: rereading},
		spoiled: []string{"I2", "I7"}},
	{name: "D  stealable lock, strict", cfg: modelConfig{procs: 2, expiries: 2, provider: modelStrict, without: waiting},
		spoiled: []string{"I1", "I2", "I8"}},
	{name: "K  stealable lock, grace", cfg: modelConfig{procs: 2, expiries: 2, provider: modelGrace, without: waiting},
		spoiled: []string{"I1", "I2", "I7"}},
	{name: "E  1 lost message, strict", cfg: modelConfig{procs: 3, expiries: 2, provider: modelStrict, faults: modelFaults{losses: 1}}},
	{name: "F  1 lost message, grace", cfg: modelConfig{procs: 3, expiries: 2, provider: modelGrace, faults: modelFaults{losses: 1}}},
	{name: "F  2 lost messages, grace", cfg: modelConfig{procs: 2, expiries: 2, provider: modelGrace, faults: modelFaults{losses: 2}}, long: threeProcs},
	{name: "F  2 lost messages, grace, late readers", cfg: modelConfig{procs: 2, expiries: 2, provider: modelGrace, late: true, faults: modelFaults{losses: 2}}, long: threeProcs},
	{name: "G  crash, strict", cfg: modelConfig{procs: 3, expiries: 2, provider: modelStrict, faults: modelFaults{crashes: 1}},
		long: func(c *modelConfig) { c.faults.crashes = 2 }},
	{name: "   1 crash, grace, no hold-off", cfg: modelConfig{procs: 3, expiries: 2, provider: modelGrace, without: holdingOff, faults: modelFaults{crashes: 1}},
		spoiled: []string{"I7"}},
	{name: "H  crash and loss, grace, no hold-off", cfg: modelConfig{procs: 2, expiries: 2, provider: modelGrace, without: holdingOff, faults: modelFaults{crashes: 1, losses: 1}},
		long: twoCrashesAndLosses, spoiled: []string{"I7"}},
	{name: "H  crash and loss, grace", cfg: modelConfig{procs: 2, expiries: 2, provider: modelGrace, faults: modelFaults{crashes: 1, losses: 1}},
		long: twoCrashesAndLosses},
	{name: "H  crash, grace, 3 expiries", cfg: modelConfig{procs: 2, expiries: 3, provider: modelGrace, faults: modelFaults{crashes: 1}},
		long: func(c *modelConfig) { c.faults.crashes, c.faults.losses = 2, 1 }},
	{name: "   slow answer and crash, grace", cfg: modelConfig{procs: 2, expiries: 2, provider: modelGrace, faults: modelFaults{slow: 1, crashes: 1}}, long: threeProcs},
	{name: "I  full disk, strict", cfg: modelConfig{procs: 3, expiries: 2, provider: modelStrict, faults: modelFaults{noroom: 1}}},
	{name: "I  full disk and crash, strict", cfg: modelConfig{procs: 2, expiries: 2, provider: modelStrict, faults: modelFaults{noroom: 1, crashes: 1}}, long: threeProcs},
	{name: "I  failing write and crash, strict", cfg: modelConfig{procs: 2, expiries: 2, provider: modelStrict, faults: modelFaults{badwrite: 1, crashes: 1}}, long: threeProcs},
	{name: "   nothing can be written, strict", cfg: modelConfig{procs: 2, expiries: 2, provider: modelStrict, faults: modelFaults{badspill: 2}}, long: threeProcs},
	{name: "J  failing write and crash, strict, nothing kept aside", cfg: modelConfig{procs: 2, expiries: 2, provider: modelStrict, without: keepingAside,
		faults: modelFaults{badwrite: 1, crashes: 1}}, spoiled: []string{"I8"}},
	{name: "L  not rotating, crash, loss, full disk", cfg: modelConfig{procs: 2, expiries: 2, provider: modelFixed, faults: modelFaults{crashes: 1, losses: 1}},
		long: func(c *modelConfig) { c.faults.crashes, c.faults.noroom = 2, 1 }},
	{name: "   power cut and crash, grace", cfg: modelConfig{procs: 2, expiries: 2, provider: modelGrace, faults: modelFaults{crashes: 1, powercut: 1}}, long: threeProcs},
	{name: "   logout and login, strict", cfg: modelConfig{procs: 2, expiries: 2, provider: modelStrict, faults: modelFaults{logouts: 1, logins: 1}}, long: threeProcs},
	{name: "   logout, login and crash, grace", cfg: modelConfig{procs: 2, expiries: 1, provider: modelGrace, faults: modelFaults{logouts: 1, logins: 1, crashes: 1}},
		long: func(c *modelConfig) { c.expiries = 2 }},
	{name: "   readers that leave, strict", cfg: modelConfig{procs: 3, expiries: 2, provider: modelStrict, faults: modelFaults{cancels: 1}}},
	{name: "   busy provider, no connection, strict", cfg: modelConfig{procs: 2, expiries: 2, provider: modelStrict, late: true, faults: modelFaults{busy: 1, unsent: 1}}, long: threeProcs},
	{name: "   answer that cannot be understood, grace", cfg: modelConfig{procs: 2, expiries: 2, provider: modelGrace, faults: modelFaults{garbled: 1}}, long: threeProcs},
	{name: "   damaged record, grace", cfg: modelConfig{procs: 2, expiries: 2, provider: modelGrace, faults: modelFaults{damage: 1}}, long: threeProcs},
	{name: "   record from a backup, not revoking", cfg: modelConfig{procs: 2, expiries: 3, provider: modelDeaf, faults: modelFaults{restored: 1}}},
}

func TestModel(t *testing.T) {
	counts := make([]modelCount, len(modelRows))
	t.Run("row", func(t *testing.T) {
		for i, row := range modelRows {
			t.Run(strings.Join(strings.Fields(row.name), " "), func(t *testing.T) {
				t.Parallel()
				counts[i] = exploreModel(t, row.config(), row.enough())
				row.judge(t, counts[i])
			})
		}
	})
	t.Log("\n" + modelTable(counts))
}

// judge compares what was violated with what was to be.
func (r modelRow) judge(t *testing.T, c modelCount) {
	t.Helper()
	for _, id := range r.spoiled {
		if !c.violates(id) {
			t.Errorf("%s holds, though this is left out: %s", id, r.cfg.without)
		}
	}
	if r.spoiled == nil && len(c.wrong) > 0 {
		t.Errorf("violated, after these schedules:\n%v", c)
	}
}

// enough ends the search in a spoiled world that has shown what it is to show,
// but for the long form, whose numbers are complete.
func (r modelRow) enough() func(*modelCount) bool {
	if r.spoiled == nil || *modelLong {
		return nil
	}
	return func(c *modelCount) bool {
		return !slices.ContainsFunc(r.spoiled, func(id string) bool { return !c.violates(id) })
	}
}

func (c modelCount) violates(id string) bool {
	for wrong := range c.wrong {
		if strings.HasPrefix(wrong, id+":") {
			return true
		}
	}
	return false
}

func modelTable(counts []modelCount) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "world\tprocesses\tstates\ttwo live\treplay\tfamily dead\tends\tlocked out")
	for i, c := range counts {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n",
			modelRows[i].name, modelRows[i].config().procs, c.states, c.twoLive, c.replay, c.dead, c.ended, c.lockedOut)
	}
	w.Flush()
	return b.String()
}
