package cli

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/child"
	"github.com/usherauth/usher/provider"
)

// delivery is how a command gets the token of one key.
type delivery struct {
	key string
	// env are the variables with the token, address those with where API calls
	// go. They come together: a program that finds the one and not the other
	// would send the token to the server that it knows.
	env, address []string
	// known tells that the settings of the provider name one of env, and so who
	// gets the token.
	known bool
	fds   []int
	files []string // the variables with the paths
}

// values are the variables that carry t.
func (d delivery) values(t api.Token) map[string]string {
	set := map[string]string{}
	for _, name := range d.env {
		set[name] = t.AccessToken
	}
	for _, name := range d.address {
		set[name] = t.BaseURL
	}
	return set
}

// variables names those of [delivery.values], in order.
func (d delivery) variables() []string { return slices.Concat(d.env, d.address) }

// planning collects the deliveries of a command line.
type planning struct {
	app     *app
	account string
	plan    []*delivery
	taken   map[string]string // variable or file number -> key
}

// of is the delivery of the key that name means.
func (p *planning) of(name string) (*delivery, error) {
	key, err := p.app.resolveKey(name, p.account)
	if err != nil {
		return nil, err
	}
	if base, ok := strings.CutSuffix(key, "/default"); ok {
		key = base
	}
	i := slices.IndexFunc(p.plan, func(d *delivery) bool { return d.key == key })
	if i < 0 {
		i = len(p.plan)
		p.plan = append(p.plan, &delivery{key: key})
	}
	return p.plan[i], nil
}

// take reserves what for key; hint says what to do if another key has it.
func (p *planning) take(what, key, hint string) error {
	if other, taken := p.taken[what]; taken {
		if other == key {
			return usagef("%s is asked for twice", what)
		}
		return usagef("%s cannot have both the token of %s and that of %s", what, show(other), show(key)).WithHint("%s", hint)
	}
	p.taken[what] = key
	return nil
}

// variable is the part of d that the argument NAME=KEY of a flag asks for.
func (p *planning) variable(flag, arg string) (d *delivery, name string, err error) {
	name, key, ok := strings.Cut(arg, "=")
	if !ok || key == "" {
		return nil, "", usagef("--%s wants NAME=KEY, such as --%s TOKEN=github", flag, flag)
	}
	if err := provider.CheckVariable(name); err != nil {
		return nil, "", usagef("--%s: %w", flag, err)
	}
	if d, err = p.of(key); err != nil {
		return nil, "", err
	}
	return d, name, p.take(name, d.key, "give each a variable of its own")
}

// number is as variable, for N=KEY, and N where there is only one key.
func (p *planning) number(arg string, keys []string) (d *delivery, n int, err error) {
	number, key, ok := strings.Cut(arg, "=")
	if !ok && len(keys) == 1 {
		key = keys[0]
	}
	if key == "" {
		return nil, 0, usagef("--fd wants N=KEY, such as --fd 3=github, or N where there is one KEY")
	}
	n, err = strconv.Atoi(number)
	if err != nil {
		return nil, 0, usagef("--fd: %q is no number", show(number))
	}
	if err := child.CheckNumber(n); err != nil {
		return nil, 0, usagef("--fd %d: %w", n, err)
	}
	if d, err = p.of(key); err != nil {
		return nil, 0, err
	}
	return d, n, p.take("file descriptor "+strconv.Itoa(n), d.key, "give each a number of its own")
}

// planDeliveries says which key comes how. A key for which no flag says it comes
// in the variables of its provider.
func (a *app) planDeliveries(o execOptions) ([]*delivery, error) {
	p := &planning{app: a, account: o.account, taken: map[string]string{}}
	for _, name := range o.keys { // first, so that they come in this order
		if _, err := p.of(name); err != nil {
			return nil, err
		}
	}
	for _, arg := range o.envs {
		d, name, err := p.variable("env", arg)
		if err != nil {
			return nil, err
		}
		d.env = append(d.env, name)
	}
	for _, arg := range o.fds {
		d, n, err := p.number(arg, o.keys)
		if err != nil {
			return nil, err
		}
		d.fds = append(d.fds, n)
	}
	for _, arg := range o.files {
		d, name, err := p.variable("file", arg)
		if err != nil {
			return nil, err
		}
		d.files = append(d.files, name)
	}
	return p.plan, p.complete()
}

// complete adds what the providers say.
func (p *planning) complete() error {
	if len(p.plan) == 0 {
		return usagef("KEY is missing")
	}
	dirs, err := p.app.dirs()
	if err != nil {
		return err
	}
	c := catalogue(dirs)
	for _, d := range p.plan {
		name := providerOf(d.key)
		from, err := c.Lookup(name)
		if len(d.env)+len(d.fds)+len(d.files) == 0 {
			if err != nil {
				return providerError(err)
			}
			if len(from.TokenEnv) == 0 {
				return usagef("the provider %s names no variable for its tokens", show(name)).WithHint("choose one: --env NAME=%s", d.key)
			}
			if d.env, err = from.TokenEnv, p.takeAll(from.TokenEnv, d.key); err != nil {
				return err
			}
		}
		// A variable of one's own is read by somebody who knows where tokens go.
		if d.known = slices.ContainsFunc(d.env, func(v string) bool { return slices.Contains(from.TokenEnv, v) }); d.known {
			if d.address, err = from.BaseURLEnv, p.takeAll(from.BaseURLEnv, d.key); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeAll takes the variables that the provider of key names.
func (p *planning) takeAll(names []string, key string) error {
	for _, name := range names {
		if err := p.take(name, key, "choose another variable for one of them: --env NAME="+key); err != nil {
			return err
		}
	}
	return nil
}

// deliver obtains the token of each key of the plan and hands it to to.
func (a *app) deliver(ctx context.Context, s *session, o execOptions, plan []*delivery, to func(*delivery, api.Token) error) error {
	for _, d := range plan {
		t, err := a.tokenFrom(ctx, s, tokenOptions{key: d.key, minTTL: o.minTTL, quiet: o.quiet})
		if err != nil {
			return err
		}
		if d.known {
			if err := checkPlace(t, d.key); err != nil {
				return err
			}
		}
		a.warnShort(t)
		if len(d.address) > 0 && t.BaseURL == "" {
			return usagef("it is not known where API calls with the token of %s go, and what finds it in %s would send it elsewhere", d.key, d.env[0]).
				WithHint("set base_url of the provider, or choose another variable: --env NAME=%s", d.key)
		}
		if err := to(d, t); err != nil {
			return err
		}
	}
	return nil
}
