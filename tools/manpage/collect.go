package main

import (
	"fmt"
	"os/exec"
	"strings"
)

// A command is one that the program has, or a topic of its help.
type command struct {
	path  []string // without the program's own name
	short string
	help  string
	subs  []command
}

// name is the name of its page.
func (c command) name() string { return strings.Join(append([]string{"usher"}, c.path...), "-") }

// collect returns the pages of program by the names of their files.
func collect(program string) (map[string][]byte, error) {
	root, err := ask(program, command{short: "log in with OAuth on a machine without a browser"})
	if err != nil {
		return nil, err
	}
	pages := make(map[string][]byte)
	var add func(c, parent command)
	add = func(c, parent command) {
		pages[c.name()+".1"] = render(c, parent)
		for _, sub := range c.subs {
			add(sub, c)
		}
	}
	add(root, command{})
	return pages, nil
}

// ask fills in the help of c and what is below it, which the program tells who
// completes the arguments of help.
func ask(program string, c command) (command, error) {
	help, err := output(program, append([]string{"help"}, c.path...)...)
	if err != nil {
		return c, err
	}
	c.help = help
	below, err := output(program, append(append([]string{"__complete", "help"}, c.path...), "")...)
	if err != nil {
		return c, err
	}
	for line := range strings.Lines(below) {
		name, short, described := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(name, ":") {
			break // the end of the candidates
		}
		if !described {
			return c, fmt.Errorf("%s %s has no short description", c.name(), name)
		}
		path := append(append([]string(nil), c.path...), name)
		sub, err := ask(program, command{path: path, short: short})
		if err != nil {
			return c, err
		}
		c.subs = append(c.subs, sub)
	}
	return c, nil
}

func output(program string, args ...string) (string, error) {
	out, err := exec.Command(program, args...).Output()
	if err != nil {
		return "", fmt.Errorf("usher %s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}
