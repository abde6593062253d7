package cli

import (
	"context"

	"github.com/usherauth/usher/api"
)

// leaveLogin prints a pending login and leaves it to whoever goes on with it.
func (a *app) leaveLogin(_ context.Context, _ *session, l api.Login, _ *answerListener, _ loginOptions) error {
	return a.printJSON(l)
}
