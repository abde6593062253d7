package cli

import (
	"context"

	"github.com/usherauth/usher/api"
)

// answerListener is where the browser comes back to in a login of method code.
// nil is none: a login of method device. Its methods work on nil.
type answerListener struct{}

// listenForAnswer makes the listener for a login that may be of method code.
func (a *app) listenForAnswer(_ *session, _ loginOptions) (*answerListener, error) {
	return nil, nil
}

// method is the method to ask for.
func (b *answerListener) method() string { return api.MethodDevice }

// redirectURI is where the browser is to come back to; empty by method device.
func (b *answerListener) redirectURI() string { return "" }

// serve passes answers on to the login until the returned function is called.
func (b *answerListener) serve(_ context.Context, _ service, _ api.Login) (stop func()) {
	return func() {}
}

// close ends the listener.
func (b *answerListener) close() {}
