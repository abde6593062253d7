package cli

import (
	"context"
	"strings"
)

// pickProvider asks a person what to log in to, and answers with the key. Without
// one it is an error that says what there is.
func (a *app) pickProvider(_ context.Context, _ loginOptions) (string, error) {
	return "", a.whichProvider()
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
