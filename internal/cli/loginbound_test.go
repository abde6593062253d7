package cli

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
)

// stuck is a service whose logins never end: the process that asks the provider
// hangs. An answer that is brought ends them all the same.
type stuck struct{ service }

func (stuck) GetLogin(context.Context, string) (api.Login, error) { return api.Login{}, nil }

func (stuck) WaitLogin(ctx context.Context, _ string) (api.Login, error) {
	<-ctx.Done()
	return api.Login{}, ctx.Err()
}

func (stuck) CompleteLogin(context.Context, string, api.CompleteLogin) (api.Login, error) {
	return api.Login{Status: api.LoginAuthorized}, nil
}

// Whoever waits for a login waits as long as they say, and without a word until
// it must have ended.
func TestWaitingForALoginEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		lasts, timeout, want time.Duration
	}{
		"--timeout":         {time.Minute, 90 * time.Second, 90 * time.Second},
		"nothing is said":   {time.Minute, 0, time.Minute + settleBound},
		"it is over by now": {-time.Hour, 0, settleBound},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, s, l := waiter(tt.lasts)
				began := time.Now()
				_, err := a.await(t.Context(), s, l, nil, noView{}, loginOptions{timeout: tt.timeout})
				checkGivenUp(t, err, time.Since(began), tt.want)
			})
		})
	}
}

// So does who has an address to bring, and never brings it.
func TestWaitingForAnAddressEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s, l := waiter(time.Minute)
		in, silent := io.Pipe()
		a.in = in
		began := time.Now()
		_, err := a.bringAnswer(t.Context(), s, l)
		checkGivenUp(t, err, time.Since(began), time.Minute+settleBound)
		_ = silent.Close()
	})
}

// waiter is who waits for a login that lasts so long and does not end.
func waiter(lasts time.Duration) (*app, *session, api.Login) {
	a := &app{err: term.New(io.Discard, func(string) string { return "" }), in: strings.NewReader("")}
	return a, &session{app: a, now: stuck{}}, api.Login{
		ID: "1", Key: "here", Method: api.MethodCode, Status: api.LoginPending, ExpiresAt: time.Now().Add(lasts),
	}
}

func checkGivenUp(t *testing.T, err error, after, want time.Duration) {
	t.Helper()
	if e := asError(err); e.Code != api.CodeLoginPending || after != want {
		t.Errorf("%s after %v, want it given up as pending after %v", e, after, want)
	}
}

// An address that is there at once is brought, however early the look at the
// login is given up for it.
func TestAddressThatIsThereAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s, l := waiter(time.Minute)
		a.in = strings.NewReader("http://127.0.0.1/?code=1\n")
		if got, err := a.bringAnswer(t.Context(), s, l); err != nil || got.Status != api.LoginAuthorized {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
