package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/internal/term"
	"github.com/usherauth/usher/provider"
)

// pickProvider asks a person what to log in to, and answers with the key. Where
// nobody can be asked it is an error that says what there is.
func (a *app) pickProvider(ctx context.Context, o loginOptions) (string, error) {
	if o.quiet || o.json || !a.canAsk() {
		return "", a.whichProvider()
	}
	dirs, err := a.dirs()
	if err != nil {
		return "", err
	}
	p := &picker{app: a, dirs: dirs, catalogue: catalogue(dirs)}
	if p.in, err = a.loggedIn(ctx); err != nil {
		return "", err
	}
	return p.pick(ctx)
}

// whichProvider answers a login without a key with what can be logged in to.
func (a *app) whichProvider() error {
	dirs, err := a.dirs()
	if err != nil {
		return err
	}
	c := catalogue(dirs)
	var ready []string
	for _, p := range c.List() {
		if p.Check() == nil {
			ready = append(ready, p.Name)
		}
	}
	a.warnAll(c.Problems())
	return usagef("login to what? Ready are: %s", strings.Join(ready, ", ")).
		WithHint("run: usher login KEY, such as: usher login %s\nadd another provider with: usher provider add NAME --issuer URL --client-id ID", ready[0])
}

// loggedIn are the providers that somebody is logged in to.
func (a *app) loggedIn(ctx context.Context) (map[string]bool, error) {
	s, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close(settleBound)
	creds, err := s.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	in := map[string]bool{}
	for _, c := range creds {
		if c.State == api.StateActive {
			in[c.Provider] = true
		}
	}
	return in, nil
}

// picker asks a person at the terminal what to log in to.
type picker struct {
	*app
	dirs      config.Dirs
	catalogue *provider.Catalogue
	in        map[string]bool // providers that somebody is logged in to
}

// errLeft ends the questions: the person wants to go.
var errLeft = api.Errorf(api.CodeInterrupted, "nothing was chosen").WithHint("to log in later, run: usher login KEY")

// pick asks until there is a key to log in to.
func (p *picker) pick(ctx context.Context) (string, error) {
	said := ""
	for {
		ready, others := p.choices()
		answer, err := p.ask(ctx, p.list(ready, others)+said+"Number or name (Enter alone leaves): ")
		switch {
		case err != nil:
			return "", err
		case answer == "":
			return "", errLeft
		}
		key, err := p.choose(ctx, answer, append(ready, others...))
		var wrong wrongAnswer
		if !errors.As(err, &wrong) {
			return key, err
		}
		said = string(wrong)
		if said != "" {
			said += "\n\n"
		}
	}
}

// A wrongAnswer is what to say before a question is asked again.
type wrongAnswer string

func (w wrongAnswer) Error() string { return string(w) }

// choices are the providers: those that are ready, the person's own before
// those that come with usher, and those that need a client id.
func (p *picker) choices() (ready, others []provider.Provider) {
	for _, c := range p.catalogue.List() {
		if c.Check() == nil {
			ready = append(ready, c)
		} else {
			others = append(others, c)
		}
	}
	slices.SortStableFunc(ready, func(a, b provider.Provider) int { return rank(a) - rank(b) })
	return ready, others
}

func rank(p provider.Provider) int {
	if p.Path != "" {
		return 0
	}
	return 1
}

// another is the name for a provider that is not in the list.
const another = "another"

// list is the choices, as they are shown.
func (p *picker) list(ready, others []provider.Provider) string {
	all := append(slices.Clone(ready), others...)
	names, titles := len(another), 0
	for _, c := range all {
		names = max(names, term.Width(c.Name))
		titles = max(titles, term.Width(p.title(c)))
	}
	width := len("  10  ") + names + 2 + titles
	wide := p.err.Columns() == 0 || width <= p.err.Columns()
	var b strings.Builder
	b.WriteString("Log in to what?\n\n")
	for i, c := range all {
		if i == len(ready) {
			b.WriteString("\nThese need a client id of your own:\n\n")
		}
		text := p.title(c)
		if !wide {
			text = p.mark(c)
		}
		b.WriteString(entry(i+1, names, c.Name, text))
	}
	text := "by the address of its server"
	if !wide && len("  10  ")+names+2+len(text) > p.err.Columns() {
		text = "by its address"
	}
	b.WriteString("\n" + entry(len(all)+1, names, another, text) + "\n")
	return b.String()
}

func entry(n, width int, name, text string) string {
	line := fmt.Sprintf("  %2d  %s%s  %s", n, name, strings.Repeat(" ", width-term.Width(name)), text)
	return strings.TrimRight(line, " ") + "\n"
}

// title is what stands beside a provider's name.
func (p *picker) title(c provider.Provider) string {
	title, mark := show(c.Title), p.mark(c)
	switch {
	case title == c.Name:
		return mark
	case mark == "":
		return title
	}
	return title + ", " + mark
}

func (p *picker) mark(c provider.Provider) string {
	if p.in[c.Name] {
		return "logged in"
	}
	return ""
}

// choose is the key that an answer names, once its provider has all that a login
// needs.
func (p *picker) choose(ctx context.Context, answer string, all []provider.Provider) (string, error) {
	name, account, named := strings.Cut(answer, "/")
	i, err := p.find(name, all)
	if err != nil {
		return "", err
	}
	if i == len(all) {
		return p.addByIssuer(ctx)
	}
	key := all[i].Name
	if named {
		key += "/" + account
		if _, err := credential.ParseKey(key); err != nil {
			return "", wrongAnswer(show(key) + " is no key: an account is a name such as work.")
		}
	}
	if all[i].Check() != nil {
		return key, p.completeClient(ctx, all[i])
	}
	return key, nil
}

// find is the place in all that an answer means; behind the last one is another.
func (p *picker) find(answer string, all []provider.Provider) (int, error) {
	if n, err := strconv.Atoi(answer); err == nil {
		if n < 1 || n > len(all)+1 {
			return 0, wrongAnswer(fmt.Sprintf("There is no number %s.", show(answer)))
		}
		return n - 1, nil
	}
	name := strings.ToLower(answer)
	var begin []int
	for i := range len(all) + 1 {
		known := another
		if i < len(all) {
			known = all[i].Name
		}
		switch {
		case known == name:
			return i, nil
		case strings.HasPrefix(known, name):
			begin = append(begin, i)
		}
	}
	switch {
	case len(begin) == 1:
		return begin[0], nil
	case len(begin) > 1:
		return 0, wrongAnswer(fmt.Sprintf("There are %d that begin with %s.", len(begin), show(answer)))
	}
	var unknown *provider.UnknownError
	if _, err := p.catalogue.Lookup(name); errors.As(err, &unknown) && unknown.Suggestion != "" {
		return 0, wrongAnswer(fmt.Sprintf("There is no %s. Did you mean %s?", show(answer), unknown.Suggestion))
	}
	return 0, wrongAnswer(fmt.Sprintf("There is no %s.", show(answer)))
}
