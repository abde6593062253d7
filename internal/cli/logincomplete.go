package cli

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
	"github.com/usherauth/usher/secret"
)

const loginCompleteHelp = `Bring the answer of a login in a browser (usher login --flow code) that could
not come back by itself: the browser is on another machine, and ends on a page
that cannot be shown. The address of that page holds the answer. ID is a login's
id, or the key that it is for.

usage: usher login complete ID [flags]

  --json   print the end of the login as one line of JSON

The address is read from standard input, its first line; at a terminal it is
asked for, and not shown. It is no argument, since other programs could read it
there. The first answer that belongs to the login counts.

The exit code tells how the login ended: 0 logged in, 4 denied. An address that
does not belong to the login ends with 1 or 2, and a provider that cannot be
reached with 6: the login is still pending then.

examples:
  usher login complete example
  printf '%s\n' "$address" | usher login complete example --json
`

func (a *app) loginCompleteCommand() *cobra.Command {
	var asJSON bool
	cmd := a.command(&cobra.Command{
		Use: "complete ID", Short: "bring the address that the browser was sent to", Long: loginCompleteHelp,
		Args: withoutAddress(arguments("ID")),
	}, func(ctx context.Context, args []string) error { return a.runLoginComplete(ctx, args[0], asJSON) })
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// withoutAddress refuses arguments of which one is the address. It is too late
// then to keep it from the list of processes, but not to say so, and it is not
// shown again.
func withoutAddress(others cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for _, arg := range args {
			if strings.ContainsAny(arg, ":?=&") {
				return errors.New("the address is no argument, since other programs on this machine can read those; give the ID alone, and the address on standard input, or when it is asked for")
			}
		}
		return others(cmd, args)
	}
}

func (a *app) runLoginComplete(ctx context.Context, name string, asJSON bool) error {
	return a.withSession(ctx, func(ctx context.Context, s *session) error {
		return a.completeLogin(ctx, s, name, asJSON)
	})
}

func (a *app) completeLogin(ctx context.Context, s *session, name string, asJSON bool) error {
	l, err := a.findLogin(ctx, s, name)
	if err != nil {
		return err
	}
	if err := completable(l); err != nil {
		return err
	}
	before, _ := s.Credential(ctx, l.Key)
	if l, err = a.bringAnswer(ctx, s, l); err != nil {
		return err
	}
	if asJSON {
		(&jsonView{app: a}).end(l)
	}
	return a.tellEnd(l, before)
}

// completable reports, as an error, that l waits for no address.
func completable(l api.Login) error {
	switch {
	case l.Status == api.LoginAuthorized:
		return api.Errorf(api.CodeLoginEnded, "the login for %s has ended already: authorized", l.Key).
			WithHint("see: usher status %s", l.Key)
	case l.Ended():
		return api.Errorf(api.CodeLoginEnded, "the login for %s has ended already: %s", l.Key, show(l.Status)).
			WithHint("start another one: usher login %s", l.Key)
	case l.Method != api.MethodCode:
		return api.Errorf(api.CodeConflict, "the login for %s takes no address: it is approved with a code on any device", l.Key).
			WithHint("to see the code and wait: usher login wait %s", l.Key)
	}
	return nil
}

// bringAnswer reads the address that the browser was sent to and brings it to
// the pending login l, and returns what that became. A login that ends meanwhile,
// by another answer or because its time is over, needs none.
func (a *app) bringAnswer(ctx context.Context, s *session, l api.Login) (api.Login, error) {
	bound := waitBound(l, loginOptions{})
	bounded, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	reading, stopReading := context.WithCancel(bounded)
	defer stopReading()
	watching, stopWatching := context.WithCancel(bounded)
	defer stopWatching()
	ended := l
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if now, err := s.WaitLogin(watching, l.ID); err == nil {
			ended = now
			stopReading()
		}
	}()
	address, err := a.readAddress(reading)
	stopWatching()
	<-watched
	switch {
	case ended.Ended():
		return ended, nil
	case ctx.Err() != nil:
		return l, ctx.Err()
	case bounded.Err() != nil:
		return l, stillPending(l, bound)
	case err != nil:
		return l, err
	}
	l, err = s.CompleteLogin(ctx, l.ID, api.CompleteLogin{RedirectedURL: address.Reveal()})
	if err == nil && !l.Ended() { // its token is still being stored
		ctx, cancel := context.WithTimeout(ctx, settleBound)
		defer cancel()
		l, err = s.WaitLogin(ctx, l.ID)
	}
	return l, err
}

// maxAddress is longer than the address bars of browsers take, in bytes.
const maxAddress = 32 << 10

// readAddress reads the address: from a person who pastes it, or else from
// standard input.
func (a *app) readAddress(ctx context.Context) (secret.String, error) {
	var text string
	var err error
	switch {
	case a.canAsk():
		text, err = a.askAddress(ctx)
	case term.CanRead(a.in):
		return secret.String{}, usagef("nobody can be asked for the address here").
			WithHint("standard error has to be the terminal too, and CI not true; or send the address to standard input")
	default:
		text, err = readFirstLine(ctx, a.in)
	}
	text = strings.TrimSpace(text)
	switch {
	case err != nil:
		return secret.String{}, err
	case text == "":
		return secret.String{}, usagef("no address was given").
			WithHint("copy all of the address that the browser shows once you have approved; the login is still pending")
	case len(text) > maxAddress:
		return secret.String{}, usagef("what was given is too long for an address").
			WithHint("copy all of the address that the browser shows once you have approved, and nothing else")
	}
	return secret.New(text), nil
}

const addressQuestion = "Paste the address that the browser shows at the end: "

// askAddress asks a person for the address. What they paste or type is not shown,
// and longer than a line of a terminal may be.
func (a *app) askAddress(ctx context.Context) (string, error) {
	keyboard, err := a.err.Keys(ctx, a.in)
	if err != nil {
		return "", api.Errorf(api.CodeInternal, "reading the address: %w", err)
	}
	defer keyboard.Close()
	address, ok := a.readHidden(keyboard, addressQuestion, true)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case !ok:
		return "", api.Errorf(api.CodeInterrupted, "left; the login is still pending")
	}
	return address, nil
}

// readFirstLine reads one line, as soon as it is there, and a little more of it
// than an address has.
func readFirstLine(ctx context.Context, in io.Reader) (string, error) {
	return readWithin(ctx, func() (string, error) { return readLine(in, maxAddress+1) })
}

// readLine reads a line without its end, at most so many bytes of it.
func readLine(in io.Reader, most int) (string, error) {
	var text []byte
	buf := make([]byte, 4096)
	for len(text) < most {
		n, err := in.Read(buf)
		text = append(text, buf[:n]...)
		if before, _, ended := strings.Cut(string(text), "\n"); ended {
			return before, nil
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", api.Errorf(api.CodeInternal, "reading standard input: %w", err)
		}
	}
	return string(text), nil
}
