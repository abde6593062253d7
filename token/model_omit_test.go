package token

import (
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

// modelOmission is one step of the protocol that a variant leaves out.
type modelOmission string

const (
	locking          modelOmission = "the lock"
	waiting          modelOmission = "waiting for the lock, which is stolen"
	lockThatOutlives modelOmission = "freeing the lock of the dead"
	rereading        modelOmission = "sending the token that was read under the lock"
	adopting         modelOmission = "deciding again under the lock"
	reserving        modelOmission = "reserving room"
	intending        modelOmission = "the intent"
	clearingIntent   modelOmission = "clearing the intent"
	unlockedSending  modelOmission = "keeping the lock until the answer is stored"
	detaching        modelOmission = "detaching the rotation from its reader"
	retrying         modelOmission = "sending the same token again"
	storingFirst     modelOmission = "storing before use"
	syncing          modelOmission = "syncing the record"
	comparing        modelOmission = "comparing before storing"
	revoking         modelOmission = "revoking what came too late"
	keepingPrevious  modelOmission = "the previous record"
	keepingAside     modelOmission = "keeping aside what cannot be stored"
	holdingOn        modelOmission = "keeping the lock while unstored"
	holdingOff       modelOmission = "the hold-off"
	candidates       modelOmission = "trying what else there is after a refusal"
	deciding         modelOmission = "believing an OAuth error code only"
	keepingTokens    modelOmission = "keeping refused tokens"
	keepingFields    modelOmission = "keeping what an answer omits"

	secondLook modelOmission = "reading again after a refusal"
	salvaging  modelOmission = "keeping answers that cannot be understood"
)

// spoil is what a variant makes of a record that it stores.
func (w *modelWorld) spoil(c credential.Credential) credential.Credential {
	switch w.without {
	case holdingOff:
		c.HoldOffUntil = time.Time{}
	case keepingFields:
		c.ResourceURL = ""
	case keepingTokens:
		if c.State == credential.NeedsLogin {
			c.RefreshToken = secret.String{}
		}
	}
	return c
}

// modelVariant is a world that shows what a step is for: without it, wrong is
// violated, and with it nothing is.
type modelVariant struct {
	without  modelOmission
	wrong    string
	provider modelRotationMode
	faults   modelFaults
	late     bool
	expiries int // 0 means 2
}

var modelVariants = []modelVariant{
	{without: locking, wrong: "I1", provider: modelStrict},
	{without: waiting, wrong: "I1", provider: modelStrict},
	{without: lockThatOutlives, wrong: "I12", provider: modelGrace, faults: modelFaults{crashes: 1}},
	{without: rereading, wrong: "I2", provider: modelStrict},
	{without: adopting, wrong: "I6", provider: modelStrict},
	{without: reserving, wrong: "I8", provider: modelStrict, faults: modelFaults{noroom: 1, crashes: 1}},
	{without: intending, wrong: "I7", provider: modelGrace, faults: modelFaults{crashes: 1}},
	{without: clearingIntent, wrong: "I6", provider: modelFixed},
	{without: unlockedSending, wrong: "I1", provider: modelStrict},
	{without: detaching, wrong: "I8", provider: modelStrict, faults: modelFaults{cancels: 1}},
	{without: retrying, wrong: "R4", provider: modelGrace, late: true, faults: modelFaults{losses: 1}},
	{without: storingFirst, wrong: "I4", provider: modelGrace},
	{without: syncing, wrong: "I8", provider: modelStrict, faults: modelFaults{powercut: 1}},
	{without: comparing, wrong: "I11", provider: modelGrace, faults: modelFaults{logouts: 1}},
	{without: revoking, wrong: "I11", provider: modelStrict, faults: modelFaults{logouts: 1}},
	{without: keepingPrevious, wrong: "I5", provider: modelGrace, faults: modelFaults{damage: 1}},
	{without: keepingAside, wrong: "I8", provider: modelStrict, faults: modelFaults{badwrite: 1, crashes: 1}},
	{without: holdingOn, wrong: "I8", provider: modelStrict, faults: modelFaults{badspill: 1}},
	{without: holdingOff, wrong: "I7", provider: modelGrace, faults: modelFaults{crashes: 1}},
	{without: candidates, wrong: "I7", provider: modelDeaf, faults: modelFaults{restored: 1}, expiries: 3},
	{without: deciding, wrong: "I9", provider: modelGrace, faults: modelFaults{busy: 1}},
	{without: keepingTokens, wrong: "I9", provider: modelStrict, faults: modelFaults{losses: 1}},
	{without: keepingFields, wrong: "I14", provider: modelStrict},
}

func (v modelVariant) config(without modelOmission) modelConfig {
	cfg := modelConfig{procs: 2, expiries: 2, provider: v.provider, faults: v.faults, late: v.late, without: without}
	if v.expiries > 0 {
		cfg.expiries = v.expiries
	}
	return cfg
}

// Every step is there for something.
func TestModelWithout(t *testing.T) {
	for _, v := range modelVariants {
		t.Run(string(v.without), func(t *testing.T) {
			t.Parallel()
			found := func(c *modelCount) bool { return c.violates(v.wrong) }
			c := exploreModel(t, v.config(v.without), found)
			if !found(&c) {
				t.Errorf("%s holds without it, in %d states; violated are: %v", v.wrong, c.states, c)
			}
			if c := exploreModel(t, v.config(""), nil); len(c.wrong) > 0 {
				t.Errorf("violated with it:\n%v", c)
			}
		})
	}
}

// Some steps the model cannot tell from none. They are here so that nobody
// takes its silence for a proof, and so that the day it speaks is noticed. To
// them belongs Rotation.MaySend, which asks nothing where the lock is a
// kernel's: stores whose locks are leases need it.
func TestModelCannotTell(t *testing.T) {
	for _, tt := range []struct {
		modelVariant
		why string
	}{
		{modelVariant{without: secondLook, provider: modelStrict, faults: modelFaults{losses: 1, logins: 1}},
			"storing the refusal compares, and finds the same a write later; looking first spares the write"},
		{modelVariant{without: salvaging, provider: modelGrace, faults: modelFaults{garbled: 1}},
			"no program reads what was kept: it is for a person whose strict provider gave the only copy of a token in a form that no one understood"},
	} {
		t.Run(string(tt.without), func(t *testing.T) {
			t.Parallel()
			if c := exploreModel(t, tt.config(tt.without), nil); len(c.wrong) > 0 {
				t.Errorf("the model can tell now, so say what it is for in TestModelWithout; until now: %s\n%v", tt.why, c)
			}
		})
	}
}
