// Package usher is the Go client of the usher daemon: it starts logins that a
// person approves on another device, and hands out access tokens that are
// always fresh.
//
// A [Client] needs the daemon's address and its bearer token; its zero value
// asks the daemon on this machine's default port. [Client.Token] is all that a
// program needs once somebody has logged in:
//
//	c := &usher.Client{Bearer: secret.New(os.Getenv("USHER_SERVER_TOKEN"))}
//	token, err := c.Token(ctx, usher.TokenRequest{Key: "github"})
//	if errors.Is(err, usher.ErrLoginNeeded) {
//		// a person has to log in
//	}
//
// Ask for a token right before each use and do not keep it: the daemon
// refreshes it when it is due, and no two of its clients ever spend the same
// refresh token. Programs built on golang.org/x/oauth2 take the token source
// of the package oauth2adapter instead.
//
// [Client.Login] starts a login. Its handle has the link and the code to show,
// and waits, also across a restart of the daemon:
//
//	login, err := c.Login(ctx, "github", usher.LoginOptions{})
//	...
//	fmt.Println("open", login.VerificationURI, "and enter", login.UserCode)
//	credential, err := login.Wait(ctx)
//
// Any number of goroutines may wait on a handle; they share one connection.
//
// [Client.Events] follows what happens to all logins and credentials. A program
// that works beside clients of `qwen serve` sees what they see with
// [Client.CreateSession] and [Client.SessionEvents], and [AuthState] sums that
// up as the TypeScript client does.
//
// # Errors
//
// Every failure is an [*Error] with a stable code, and matches the sentinel of
// that code with errors.Is. A daemon that cannot be reached is one too
// ([ErrDaemonUnreachable]). Errors and everything else of this package print
// no secrets.
package usher
