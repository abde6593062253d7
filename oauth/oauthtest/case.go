// Package oauthtest serves the hostile answers of oauth/testdata/hostile to tests: what a broken, careless or malicious
// authorization server may send, and what is expected of whoever asked. Use Cases to load them and Handler to serve
// one. It is for tests of this module alone.
package oauthtest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/usherauth/usher/oauth"
)

// Case is one answer and what it must lead to at each endpoint it is meant for (nil where it is not). Where an answer is a
// good one in some respect, its access token is "at-1" and its refresh token "rt-2"; its device code is "dc-1".
type Case struct {
	// Name is the name of the case's file without its extension.
	Name string `json:"-"`
	// Row says which class of hostile answers the case belongs to, as "7.3 expires_in 3600.5".
	Row string `json:"row"`
	// Answer is what the server sends, whatever the request.
	Answer Answer `json:"answer"`
	// Device, Poll, Refresh and Discovery are the expectations for oauth's AuthorizeDevice, PollDevice, Refresh and
	// Discover, and for the layers above that call them.
	Device    *Expect `json:"device,omitempty"`
	Poll      *Expect `json:"poll,omitempty"`
	Refresh   *Expect `json:"refresh,omitempty"`
	Discovery *Expect `json:"discovery,omitempty"`
}

// Endless reports whether the answer never ends by itself: only the caller's deadline ends such a call, so a test gives a
// short one.
func (c Case) Endless() bool { return c.Answer.End == EndHang || c.Answer.End == EndDrip }

// What becomes of a stored credential when its refresh gets the answer.
const (
	// Identical: its tokens stay byte by byte what they were. (A definite refusal still marks it as needing a login.)
	Identical = "identical"
	// Salvaged: the answer's token is usable and is stored, whatever else is wrong with the answer.
	Salvaged = "salvaged"
	// Rejected: the answer claims success but holds no usable token. The credential is as before, and the raw answer is
	// in oauth.Error.Body.
	Rejected = "rejected"
)

// Expect is what must come of the answer at one endpoint.
type Expect struct {
	// OK: the call succeeds. Kind, Outcome and Code are empty then.
	OK      bool          `json:"ok,omitempty"`
	Kind    oauth.Kind    `json:"kind,omitempty"`
	Outcome oauth.Outcome `json:"outcome,omitempty"`
	Code    string        `json:"code,omitempty"`
	// Attempts is how many requests the server sees for one start, login, refresh or discovery by the layer
	// that decides about repeating; 0 means that it goes on until the device code expires. A call of package oauth is one
	// request; its Discover makes exactly this many.
	Attempts int `json:"attempts,omitempty"`
	// Credential is Identical, Salvaged or Rejected; set for Refresh alone.
	Credential string `json:"credential,omitempty"`
	// Warned: the success carries at least one warning.
	Warned bool `json:"warned,omitempty"`
	// Lifetime is the expected lifetime in seconds of the access token or device code of a success, if it is not nil;
	// Interval the poll interval; RetryAfter the wait asked for by a failure. Slack is the tolerance of Lifetime, for
	// answers that name a point in time.
	Lifetime   *int `json:"lifetime,omitempty"`
	Slack      int  `json:"slack,omitempty"`
	Interval   *int `json:"interval,omitempty"`
	RetryAfter *int `json:"retry_after,omitempty"`
}

// Cases loads all cases, in the order of their names. It ends the test if there is none or one cannot be read.
func Cases(t testing.TB) []Case {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir(t), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("finding hostile cases: %d files, error %v", len(files), err)
	}
	slices.Sort(files)
	cases := make([]Case, 0, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("reading hostile case: %v", err)
		}
		c := Case{Name: strings.TrimSuffix(filepath.Base(file), ".json")}
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil {
			t.Fatalf("reading hostile case %s: %v", c.Name, err)
		}
		cases = append(cases, c)
	}
	return cases
}

// dir finds the corpus from the folder of the running test upwards, which also works with -trimpath.
func dir(t testing.TB) string {
	t.Helper()
	at, err := os.Getwd()
	if err != nil {
		t.Fatalf("finding hostile cases: %v", err)
	}
	for {
		corpus := filepath.Join(at, "oauth", "testdata", "hostile")
		if _, err := os.Stat(corpus); err == nil {
			return corpus
		}
		up := filepath.Dir(at)
		if up == at {
			t.Fatal("finding hostile cases: no oauth/testdata/hostile above the working directory")
		}
		at = up
	}
}
