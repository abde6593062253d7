package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// ErrProvider stands for an error of an in-process [Provider] that is no
// [oauth.Error], for its panic, and for an answer that may not be used.
var ErrProvider = errors.New("the provider's own code failed")

// inProcess stands around a provider of the embedding program. That code is
// trusted to be there and no further: what it puts into an answer or an error
// may come from a server, and may hold secrets or escape codes. Out of here
// come checked values and our own words alone; a panic is an error.
type inProcess struct {
	name string
	own  Provider
	log  *slog.Logger
}

func (p inProcess) Start(ctx context.Context, r oauth.DeviceRequest) (_ *oauth.DeviceAuthorization, err error) {
	defer p.recover("start", &err)
	a, err := p.own.Start(ctx, r)
	if err != nil || a == nil {
		return nil, ownWords("device authorization", err)
	}
	fit, err := a.Checked()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	return fit, nil
}

func (p inProcess) Poll(ctx context.Context, g credential.DeviceGrant) (_ *oauth.Token, err error) {
	defer p.recover("poll", &err)
	t, err := p.own.Poll(ctx, g)
	if err != nil || t == nil {
		return nil, ownWords("device token", err)
	}
	fit, err := t.Checked()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	fit.RefreshToken = secret.String{} // nobody could spend it
	return fit, nil
}

// recover makes an error of a panic. Its value may hold anything and is not
// told; its type and the stack, which has no texts of the program's, help to
// find it.
func (p inProcess) recover(method string, err *error) {
	if v := recover(); v != nil {
		p.log.Error("in-process provider panicked", "provider", p.name, "method", method,
			"type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		*err = ErrProvider
	}
}

// codeUnknown stands for an error code that no RFC has: anything may stand in
// its place.
const codeUnknown = "unknown_error"

// knownCodes are the error codes that a provider may answer with, other than
// by its own invention.
var knownCodes = []string{
	oauth.ErrorAccessDenied, oauth.ErrorAuthorizationPending, oauth.ErrorExpiredToken, oauth.ErrorInvalidClient,
	oauth.ErrorInvalidGrant, oauth.ErrorInvalidRequest, oauth.ErrorInvalidScope, oauth.ErrorInvalidTarget,
	oauth.ErrorServerError, oauth.ErrorSlowDown, oauth.ErrorTemporarilyUnavailable, oauth.ErrorUnauthorizedClient,
	oauth.ErrorUnsupportedGrantType,
}

// knownKinds are the kinds of errors without a code.
var knownKinds = []oauth.Kind{
	oauth.KindNetwork, oauth.KindTimeout, oauth.KindCanceled, oauth.KindTLS, oauth.KindStatus, oauth.KindRateLimited,
	oauth.KindServer, oauth.KindMalformed, oauth.KindRedirect, oauth.KindConfig,
}

// ownWords is an error of a provider as one of ours: its facts without any text.
func ownWords(op string, err error) error {
	foreign, ok := errors.AsType[*oauth.Error](err)
	if !ok || foreign == nil {
		return ErrProvider
	}
	e := &oauth.Error{Op: op, Kind: foreign.Kind, Outcome: oauth.Ambiguous, Status: foreign.Status}
	switch foreign.Outcome {
	case oauth.NotSent, oauth.Answered:
		e.Outcome = foreign.Outcome
	}
	if foreign.RetryAfter > 0 {
		e.RetryAfter = min(max(foreign.RetryAfter, time.Second), time.Hour)
	}
	switch {
	case foreign.Code != "":
		e.Kind, e.Code = oauth.KindOAuth, foreign.Code
		if !slices.Contains(knownCodes, e.Code) {
			e.Code = codeUnknown
		}
	case !slices.Contains(knownKinds, e.Kind):
		return ErrProvider // it decides nothing, and says nothing of why
	}
	return e
}
