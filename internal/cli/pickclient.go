package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/safetext"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/secret"
)

// completeClient walks a person through getting a client id for a provider that
// comes with usher, and writes the provider's file.
func (p *picker) completeClient(ctx context.Context, c provider.Provider) error {
	if c.Path != "" {
		return usagef("provider %s has no client_id", c.Name).
			WithHint("add a line to %s: client_id = \"...\"; then run: usher login %s", show(c.Path), c.Name)
	}
	return p.write(ctx, clientQuestions{
		name: c.Name, intro: clientIntro(c), code: slices.Contains(c.Methods(), api.MethodCode),
	})
}

// clientIntro says what a client id is for and where to get one; links stand
// alone on their line.
func clientIntro(c provider.Provider) string {
	var b strings.Builder
	fmt.Fprintf(&b, "To log in to %s you need a client of your own there.\n\n", show(c.Title))
	if c.ClientIDHelp == "" {
		return b.String() + "Register one there, as a public client if you are asked.\n\n"
	}
	b.WriteString(show(c.ClientIDHelp) + "\n\n")
	for _, word := range strings.Fields(c.ClientIDHelp) {
		if link, err := safetext.URL(strings.TrimRight(word, ".,;:)")); err == nil {
			b.WriteString(link + "\n\n")
		}
	}
	return b.String()
}

// clientQuestions are what a person is asked about a client.
type clientQuestions struct {
	name     string
	intro    string
	code     bool // the provider can send a browser back here
	settings provider.Settings
	scopes   bool   // ask for those too
	offered  string // the scopes that Enter alone stands for
}

// write asks the questions until the answers are right, and writes the file of
// the provider. Until then nothing is written.
func (p *picker) write(ctx context.Context, q clientQuestions) error {
	said := ""
	for {
		id, err := p.clientID(ctx, q, said)
		if err != nil {
			return err
		}
		q.settings.ClientID = id
		password, err := p.clientSecret(ctx)
		if err != nil {
			return err
		}
		if q.scopes {
			if q.settings.Scopes, err = p.askScopes(ctx, q); err != nil {
				return err
			}
		}
		right, err := p.yes(ctx, q.summary(p, password), true)
		if err != nil {
			return err
		}
		if !right {
			continue
		}
		err = p.add(q, password)
		if err == nil {
			return nil
		}
		said = sentence(asError(providerError(err)).Message) + "\n\n"
	}
}

// clientID asks for the client id, which must not be empty: that goes back.
func (p *picker) clientID(ctx context.Context, q clientQuestions, said string) (string, error) {
	text := q.intro
	if q.code {
		text += "If it asks for a redirect URI (callback URL):\n\nhttp://127.0.0.1/callback/" + q.name + "\n\n"
	}
	id, err := p.ask(ctx, text+said+"Client ID (Enter alone goes back): ")
	if err == nil && id == "" {
		return "", wrongAnswer("")
	}
	return id, err
}

// clientSecret asks for the secret of a client, which most do not need.
func (p *picker) clientSecret(ctx context.Context) (secret.String, error) {
	has, err := p.yes(ctx, "Did you get a client secret that logging in needs?", false)
	if err != nil || !has {
		return secret.String{}, err
	}
	return p.askSecret(ctx, "Client secret (not shown): ")
}

func (p *picker) askScopes(ctx context.Context, q clientQuestions) ([]string, error) {
	otherwise := q.offered
	if otherwise == "" {
		otherwise = "the server's own choice"
	}
	answer, err := p.ask(ctx, "Scopes, with blanks between them (Enter alone: "+otherwise+"): ")
	if answer == "" {
		answer = q.offered
	}
	return strings.Fields(answer), err
}

// summary is the last question, with what was answered.
func (q clientQuestions) summary(p *picker, password secret.String) string {
	lines := []string{"Client ID: " + show(q.settings.ClientID), "Client secret: none"}
	if password.Reveal() != "" {
		lines[1] = "Client secret: given, goes into a file of its own"
	}
	if q.scopes {
		lines = append(lines, "Scopes: "+show(strings.Join(q.settings.Scopes, " ")))
	}
	if q.settings.Issuer != "" {
		lines = append([]string{"Name: " + q.name, "Server: " + show(q.settings.Issuer)}, lines...)
	}
	return strings.Join(lines, "\n") + "\n\nIs that right? It goes to " + p.homely(filepath.Join(p.dirs.ProvidersDir, q.name+".toml")) + "."
}

// add writes the file of the provider, and before it that of the secret, if there
// is one. On an error neither is there.
func (p *picker) add(q clientQuestions, password secret.String) error {
	var secretFile string
	if password.Reveal() != "" {
		secretFile = filepath.Join(p.dirs.ProvidersDir, q.name+".secret")
		if _, err := os.Lstat(secretFile); err == nil {
			return usagef("there is a file %s already", p.homely(secretFile))
		}
		if err := atomicfile.EnsureDir(p.dirs.ProvidersDir); err != nil {
			return storeError(err)
		}
		if err := atomicfile.Write(secretFile, []byte(password.Reveal()+"\n"), 0o600); err != nil {
			return storeError(err)
		}
		q.settings.ClientSecretFile = secretFile
	}
	path, err := p.catalogue.Add(provider.Spec{Name: q.name, Settings: q.settings})
	if err != nil {
		if secretFile != "" {
			_ = os.Remove(secretFile) // it is of no use then, and was not there before
		}
		return err
	}
	p.sayf("Wrote %s.", p.homely(path))
	return nil
}

// sentence is a message with a capital and a full stop.
func sentence(message string) string {
	message = show(message)
	if message == "" {
		return ""
	}
	return strings.ToUpper(message[:1]) + message[1:] + "."
}
