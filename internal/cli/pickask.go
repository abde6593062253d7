package cli

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/secret"
)

// pickPatience is how long a question of the picker waits: making a client at a
// provider takes its time.
const pickPatience = 15 * time.Minute

// ask asks a question and returns the answer. The end of the input, Esc and
// silence are errors that end all questions.
func (p *picker) ask(ctx context.Context, question string) (string, error) {
	asking, cancel := context.WithTimeout(ctx, pickPatience)
	defer cancel()
	answer, err := p.err.Ask(asking, p.app.in, question)
	if err := unanswered(ctx, asking); err != nil {
		return "", err
	}
	switch {
	case errors.Is(err, io.EOF), strings.HasPrefix(answer, "\x1b"):
		return "", errLeft
	case err != nil:
		return "", api.Errorf(api.CodeInternal, "reading the answer: %w", err)
	}
	return answer, nil
}

// yes asks a question whose answer is yes or no; Enter alone is otherwise.
func (p *picker) yes(ctx context.Context, question string, otherwise bool) (bool, error) {
	choice := " [y/N] "
	if otherwise {
		choice = " [Y/n] "
	}
	for {
		answer, err := p.ask(ctx, question+choice)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(answer) {
		case "":
			return otherwise, nil
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
	}
}

// askSecret asks for a secret, which is not shown while it is typed. Enter alone
// is the empty one.
func (p *picker) askSecret(ctx context.Context, question string) (secret.String, error) {
	asking, cancel := context.WithTimeout(ctx, pickPatience)
	defer cancel()
	keyboard, err := p.err.Keys(asking, p.app.in)
	if err != nil {
		return secret.String{}, usagef("this terminal cannot hide what is typed, so the secret cannot be asked for").
			WithHint("put it into a file of its own, and run: usher provider add NAME --client-secret-file FILE")
	}
	defer keyboard.Close()
	typed, ok := p.readHidden(keyboard, question, false)
	if err := unanswered(ctx, asking); err != nil {
		return secret.String{}, err
	}
	if !ok {
		return secret.String{}, errLeft
	}
	return secret.New(strings.TrimSpace(typed)), nil
}

// unanswered is the error for a question that asking bounded and nobody answered
// in time, or ctx ended; nil if neither is so.
func unanswered(ctx, asking context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case asking.Err() != nil:
		return api.Errorf(api.CodeTimeout, "nobody answered within %s", span(pickPatience)).
			WithHint("to log in, run: usher login KEY")
	}
	return nil
}
