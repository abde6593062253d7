package credential_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

var prompt = credential.Prompt{
	UserCode: "ABCD-EFGH", VerificationURI: "https://as.test/d", VerificationURIComplete: "https://as.test/d?c=1",
}

var (
	link  = credential.Prompt{AuthorizationURI: "https://as.test/authorize?state=st"}
	grant = credential.CodeGrant{
		State: secret.New("st"), CodeVerifier: secret.New("v"),
		RedirectURI: "http://127.0.0.1:1/cb", AuthorizationURI: link.AuthorizationURI,
	}
)

// states has a login of every state, each with every member set.
func states() []credential.LoginState {
	at := time.Date(2026, 11, 21, 12, 0, 0, 5, time.UTC)
	return []credential.LoginState{
		credential.Starting{},
		credential.Pending{Device: credential.DeviceGrant{
			DeviceCode: secret.New("dc"), CodeVerifier: secret.New("v"), Prompt: prompt,
		}},
		credential.Persisting{Prompt: prompt, Won: fullCredential(), CancelAsked: true, CancelledBy: "cli-B"},
		credential.AwaitingCode{Code: grant},
		credential.Exchanging{Prompt: link},
		credential.Persisting{Prompt: link, Won: fullCredential(), CancelAsked: true, CancelledBy: "cli-B"},
		credential.Ended{
			Status: credential.LoginDenied, At: at,
			Failure: credential.Failure{Code: "access_denied", Hint: "no", FromProvider: true},
		},
		credential.Ended{Status: credential.LoginCancelled, At: at, CancelledBy: "cli-B"},
		credential.Ended{Status: credential.LoginAuthorized, At: at},
	}
}

func fullLogin(state credential.LoginState) credential.Login {
	method := credential.MethodDevice
	switch s := state.(type) {
	case credential.AwaitingCode, credential.Exchanging:
		method = credential.MethodCode
	case credential.Persisting:
		if s.Prompt == link {
			method = credential.MethodCode
		}
	}
	c := fullCredential()
	at := c.Received.Wall
	return credential.Login{
		ID: "id-1", Key: c.Key, Version: 3, Method: method, Binding: c.Binding,
		Scopes: []string{"a"}, Initiator: "cli-A", Origin: "me@box", ShareWith: "qwen", Trace: "0af7651916cd43dd8448eb211c80319c", Owner: "o-1",
		CreatedAt: at, ExpiresAt: at.Add(time.Hour), Interval: 5 * time.Second, Superseded: true, State: state,
	}
}

func TestLoginSurvivesEncoding(t *testing.T) {
	both := prompt
	both.AuthorizationURI = link.AuthorizationURI
	everyFieldSet(t, both)
	everyFieldSet(t, grant)
	for _, state := range states() {
		want := fullLogin(state)
		everyFieldSet(t, want)
		data, err := credential.EncodeLogin(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := credential.DecodeLogin(data)
		if err != nil {
			t.Fatal(err)
		}
		if got.Status() != want.Status() {
			t.Errorf("status = %s, want %s", got.Status(), want.Status())
		}
		switch s := got.State.(type) {
		case credential.Pending:
			if s.Device.DeviceCode.Reveal() != "dc" || s.Device.CodeVerifier.Reveal() != "v" || s.Device.Prompt != prompt {
				t.Errorf("pending with %+v", s.Device)
			}
		case credential.AwaitingCode:
			g := s.Code
			if g.State.Reveal() != "st" || g.CodeVerifier.Reveal() != "v" || g.RedirectURI != grant.RedirectURI || g.Prompt() != link {
				t.Errorf("awaiting a code with %+v", g)
			}
		case credential.Persisting:
			if !s.Won.Equal(fullCredential()) || s.Prompt != state.(credential.Persisting).Prompt {
				t.Errorf("persisting with %+v", s)
			}
		default:
			if s != state {
				t.Errorf("state = %+v, want %+v", s, state)
			}
		}
		again, err := credential.EncodeLogin(got)
		if err != nil || string(again) != string(data) {
			t.Errorf("second encoding differs (%v)\n%s\n%s", err, again, data)
		}
	}
}

// Whoever is not pending has no codes that are worth something, and who has
// ended nothing to show.
func TestStatesShowOnlyWhatTheyHave(t *testing.T) {
	for _, state := range states() {
		l := fullLogin(state)
		_, shown := l.Prompt()
		if want := l.Live() && l.Status() != credential.LoginStarting; shown != want {
			t.Errorf("%s: something to show %v, want %v", l.Status(), shown, want)
		}
		if l.Live() != l.EndedAt().IsZero() {
			t.Errorf("%s: live %v, ended at %v", l.Status(), l.Live(), l.EndedAt())
		}
		data, err := credential.EncodeLogin(l)
		if err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(string(data), `"code_verifier":`); has != (l.Status() == credential.LoginPending) {
			t.Errorf("%s: stored with a code verifier: %v", l.Status(), has)
		}
	}
}

// Each member of another state makes a record that is in no state.
func TestStoredCombinationsThatAreNoState(t *testing.T) {
	members := map[string]any{}
	for _, state := range states() {
		data, err := credential.EncodeLogin(fullLogin(state))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &members); err != nil {
			t.Fatal(err)
		}
	}
	for _, state := range states() {
		data, err := credential.EncodeLogin(fullLogin(state))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"device", "authorization", "won", "cancel_asked", "ended_at", "failure"} {
			record := map[string]any{}
			if err := json.Unmarshal(data, &record); err != nil {
				t.Fatal(err)
			}
			if _, has := record[name]; has && name != "cancel_asked" {
				delete(record, name)
			} else if !has {
				record[name] = members[name]
			} else {
				continue // persisting without a cancel is a state
			}
			changed, err := json.Marshal(record)
			if err != nil {
				t.Fatal(err)
			}
			if l, err := credential.DecodeLogin(changed); err == nil {
				t.Errorf("%s with %s changed was read as %+v", record["status"], name, l.State)
			}
		}
	}
	for name, state := range map[string]credential.LoginState{
		"none":                       nil,
		"no outcome":                 credential.Ended{At: time.Now()},
		"no time":                    credential.Ended{Status: credential.LoginAuthorized},
		"live":                       credential.Ended{Status: credential.LoginPending, At: time.Now()},
		"failed without a failure":   credential.Ended{Status: credential.LoginFailed, At: time.Now()},
		"authorized with a failure":  credential.Ended{Status: credential.LoginAuthorized, At: time.Now(), Failure: credential.Failure{Code: "x"}},
		"authorized, but cancelled":  credential.Ended{Status: credential.LoginAuthorized, At: time.Now(), CancelledBy: "cli-B"},
		"a canceller without cancel": credential.Persisting{Won: fullCredential(), CancelledBy: "cli-B"},
	} {
		if _, err := credential.EncodeLogin(fullLogin(state)); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}

// A state belongs to a method, and one that waits for a code has all it needs.
func TestStatesOfTheOtherMethod(t *testing.T) {
	for _, tt := range []struct {
		method credential.Method
		state  credential.LoginState
		ok     bool
	}{
		{credential.MethodCode, credential.AwaitingCode{Code: grant}, true},
		{credential.MethodDevice, credential.AwaitingCode{Code: grant}, false},
		{credential.MethodCode, credential.Exchanging{Prompt: link}, true},
		{credential.MethodDevice, credential.Exchanging{Prompt: link}, false},
		{credential.MethodCode, credential.Exchanging{}, false},
		{credential.MethodCode, credential.AwaitingCode{}, false},
		{credential.MethodCode, credential.Pending{}, false},
		{credential.MethodCode, credential.Starting{}, false},
		{"", credential.Starting{}, true},
	} {
		l := fullLogin(tt.state)
		l.Method = tt.method
		data, err := credential.EncodeLogin(l)
		if (err == nil) != tt.ok {
			t.Errorf("%s login in %T: encoded with %v, want ok %v", tt.method, tt.state, err, tt.ok)
		}
		if err != nil {
			continue
		}
		var record map[string]any
		if err := json.Unmarshal(data, &record); err != nil {
			t.Fatal(err)
		}
		record["method"] = map[credential.Method]credential.Method{
			credential.MethodCode: credential.MethodDevice, "": credential.MethodCode,
		}[tt.method]
		changed, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		if l, err := credential.DecodeLogin(changed); err == nil {
			t.Errorf("%T of method %s was read as %+v", tt.state, record["method"], l)
		}
	}
}

func TestBegun(t *testing.T) {
	for _, tt := range []struct {
		login credential.Login
		want  bool
	}{
		{credential.Login{State: credential.Starting{}}, false},
		{credential.Login{Method: credential.MethodDevice, State: credential.Starting{}}, false},
		{credential.Login{Method: credential.MethodDevice, Interval: time.Second, State: credential.Pending{}}, true},
		{credential.Login{Method: credential.MethodCode, State: credential.AwaitingCode{}}, true},
		{credential.Login{Method: credential.MethodCode, State: credential.Ended{Status: credential.LoginExpired}}, true},
	} {
		if got := tt.login.Begun(); got != tt.want {
			t.Errorf("%+v: begun %v, want %v", tt.login, got, tt.want)
		}
	}
}

func FuzzDecodeLogin(f *testing.F) {
	for _, state := range states() {
		data, err := credential.EncodeLogin(fullLogin(state))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := credential.DecodeLogin(data)
		if err != nil {
			return
		}
		if _, shown := l.Prompt(); shown && !l.Live() {
			t.Errorf("an ended login shows a code: %+v", l.State)
		}
		again, err := credential.EncodeLogin(l)
		if err != nil {
			t.Fatalf("re-encoding: %v", err)
		}
		if back, err := credential.DecodeLogin(again); err != nil || back.Status() != l.Status() {
			t.Errorf("round trip: %s, %v, want %s", back.Status(), err, l.Status())
		}
	})
}
