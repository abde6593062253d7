package credential

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usherauth/usher/secret"
)

type storedDevice struct {
	DeviceCode              string `json:"device_code,omitempty"` // of a pending login only
	CodeVerifier            string `json:"code_verifier,omitempty"`
	UserCode                string `json:"user_code"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete,omitempty"`
}

type storedFailure struct {
	Code         string `json:"code"`
	Hint         string `json:"hint,omitempty"`
	FromProvider bool   `json:"from_provider,omitempty"`
}

type storedLogin struct {
	V             int                  `json:"v"`
	ID            string               `json:"id"`
	Provider      string               `json:"provider"`
	Account       string               `json:"account"`
	Version       uint64               `json:"version"`
	Method        Method               `json:"method"`
	Status        LoginStatus          `json:"status"`
	Binding       storedBinding        `json:"binding"`
	Scopes        []string             `json:"scopes,omitempty"`
	Initiator     string               `json:"initiator,omitempty"`
	Origin        string               `json:"origin,omitempty"`
	Trace         string               `json:"trace,omitempty"`
	ShareWith     string               `json:"share_with,omitempty"`
	Owner         string               `json:"owner,omitempty"`
	CreatedAt     time.Time            `json:"created_at"`
	ExpiresAt     time.Time            `json:"expires_at,omitzero"`
	Interval      time.Duration        `json:"interval_ns,omitempty"`
	Device        *storedDevice        `json:"device,omitempty"`
	Authorization *storedAuthorization `json:"authorization,omitempty"`
	Won           *storedCredential    `json:"won,omitempty"`
	CancelledBy   string               `json:"cancelled_by,omitempty"`
	CancelAsked   bool                 `json:"cancel_asked,omitempty"`
	Superseded    bool                 `json:"superseded,omitempty"`
	EndedAt       time.Time            `json:"ended_at,omitzero"`
	Failure       *storedFailure       `json:"failure,omitempty"`
}

// EncodeLogin returns the stored form of l, secrets included. It is for stores.
// A state that holds what it must not is an error.
func EncodeLogin(l Login) ([]byte, error) {
	s := storedLogin{
		V: storedVersion, ID: l.ID, Provider: l.Key.Provider, Account: l.Key.Account,
		Version: l.Version, Method: l.Method, Status: l.Status(), Binding: storeBinding(l.Binding),
		Scopes: l.Scopes, Initiator: l.Initiator, Origin: l.Origin, ShareWith: l.ShareWith, Trace: l.Trace, Owner: l.Owner,
		CreatedAt: l.CreatedAt, ExpiresAt: l.ExpiresAt, Interval: l.Interval, Superseded: l.Superseded,
	}
	if !ofMethod(l.Method, l.State) {
		return nil, fmt.Errorf("encoding login of %s: %w", l.Key, errMethod)
	}
	if err := s.storeState(l.State); err != nil {
		return nil, fmt.Errorf("encoding login of %s: %w", l.Key, err)
	}
	return json.Marshal(s)
}

var errMethod = errors.New("its state is that of another method")

func (s *storedLogin) storeState(state LoginState) error {
	if state == nil {
		return errors.New("it has no state")
	}
	if err := state.check(); err != nil {
		return err
	}
	switch state := state.(type) {
	case Pending:
		s.Device = storeDevice(state.Device)
	case AwaitingCode:
		s.Authorization = storeAuthorization(state.Code)
	case Exchanging:
		s.storePrompt(state.Prompt)
	case Persisting:
		won, err := storeCredential(state.Won)
		if err != nil {
			return err
		}
		s.storePrompt(state.Prompt)
		s.Won = &won
		s.CancelAsked, s.CancelledBy = state.CancelAsked, state.CancelledBy
	case Ended:
		s.EndedAt, s.CancelledBy = state.At, state.CancelledBy
		if state.Failure != (Failure{}) {
			f := storedFailure(state.Failure)
			s.Failure = &f
		}
	}
	return nil
}

// DecodeLogin reads what [EncodeLogin] wrote. A record that is in no state, or
// holds what its state does not have, is an error. Errors never quote the
// content.
func DecodeLogin(data []byte) (Login, error) {
	var s storedLogin
	if err := unmarshal(data, &s); err != nil {
		return Login{}, fmt.Errorf("decoding login: %w", err)
	}
	key, err := (&storedCredential{Version: s.V, Provider: s.Provider, Account: s.Account}).key()
	if err != nil {
		return Login{}, fmt.Errorf("decoding login: %w", err)
	}
	if s.ID == "" || s.Version == 0 {
		return Login{}, fmt.Errorf("decoding login of %s: id or version missing", key)
	}
	state, err := s.loadState()
	if err != nil {
		return Login{}, fmt.Errorf("decoding login of %s: %w", key, err)
	}
	if !ofMethod(s.Method, state) {
		return Login{}, fmt.Errorf("decoding login of %s: %w", key, errMethod)
	}
	return Login{
		ID: s.ID, Key: key, Version: s.Version, Method: s.Method,
		Binding: s.Binding.load(), Scopes: s.Scopes, Initiator: s.Initiator, Origin: s.Origin, ShareWith: s.ShareWith, Trace: s.Trace,
		Owner: s.Owner, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, Interval: s.Interval,
		Superseded: s.Superseded, State: state,
	}, nil
}

// loadState is the state of the record, which must hold that state's members
// and no others.
func (s *storedLogin) loadState() (LoginState, error) {
	var state LoginState
	var device, authorization, won, ended bool // what the state has, beside what check sees to
	switch {
	case s.Status == LoginStarting:
		state = Starting{}
	case s.Status == LoginPending && s.Method == MethodCode && s.Authorization != nil:
		state, authorization = AwaitingCode{Code: s.Authorization.load()}, true
	case s.Status == LoginPending && s.Device != nil:
		state, device = Pending{Device: s.Device.load()}, true
	case s.Status == LoginExchanging:
		prompt, err := s.loadPrompt()
		if err != nil {
			return nil, err
		}
		state, authorization = Exchanging{Prompt: prompt}, true
	case s.Status == LoginPersisting && s.Won != nil:
		prompt, err := s.loadPrompt()
		if err != nil {
			return nil, err
		}
		c, err := s.Won.load()
		if err != nil {
			return nil, err
		}
		state, won = Persisting{
			Prompt: prompt, Won: *c, CancelAsked: s.CancelAsked, CancelledBy: s.CancelledBy,
		}, true
		authorization = s.Method == MethodCode
		device = !authorization
	default:
		e := Ended{Status: s.Status, At: s.EndedAt, CancelledBy: s.CancelledBy}
		if s.Failure != nil {
			e.Failure = Failure(*s.Failure)
		}
		state, ended = e, true
	}
	stray := (s.Device != nil) != device || (s.Authorization != nil) != authorization || (s.Won != nil) != won ||
		s.CancelAsked && !won || s.CancelledBy != "" && !won && !ended ||
		!ended && (!s.EndedAt.IsZero() || s.Failure != nil)
	if stray {
		return nil, errors.New("its state has no such members")
	}
	return state, state.check()
}

func storeDevice(d DeviceGrant) *storedDevice {
	return &storedDevice{
		DeviceCode: d.DeviceCode.Reveal(), CodeVerifier: d.CodeVerifier.Reveal(),
		UserCode: d.UserCode, VerificationURI: d.VerificationURI,
		VerificationURIComplete: d.VerificationURIComplete,
	}
}

func (s *storedDevice) load() DeviceGrant {
	return DeviceGrant{
		DeviceCode: secret.New(s.DeviceCode), CodeVerifier: secret.New(s.CodeVerifier),
		Prompt: Prompt{
			UserCode: s.UserCode, VerificationURI: s.VerificationURI,
			VerificationURIComplete: s.VerificationURIComplete,
		},
	}
}
