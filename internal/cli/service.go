package cli

import (
	"context"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
)

// service is what commands work with: a daemon over its socket, or a broker in
// this process. Both answer with the same values and the same errors, so that
// no command knows the difference.
type service interface {
	StartLogin(ctx context.Context, r api.StartLogin) (api.Login, error)
	GetLogin(ctx context.Context, id string) (api.Login, error)
	WaitLogin(ctx context.Context, id string) (api.Login, error)
	CancelLogin(ctx context.Context, id string) (api.Login, error)
	Logins(ctx context.Context) ([]api.Login, error)
	CompleteLogin(ctx context.Context, id string, r api.CompleteLogin) (api.Login, error)
	Credentials(ctx context.Context) ([]api.Credential, error)
	Credential(ctx context.Context, key string) (api.Credential, error)
	Token(ctx context.Context, r api.TokenRequest) (api.Token, error)
	Logout(ctx context.Context, r api.LogoutRequest) (api.Logout, error)
}

var (
	_ service = (*usher.Client)(nil)
	_ service = (*local)(nil)
	_ service = (*session)(nil)
)
