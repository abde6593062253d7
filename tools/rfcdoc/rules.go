package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A rule is one line of the checklist.
type rule struct {
	number   int
	document string // as test names spell it: RFC8628, MCP, HTTP, OAuth21
	section  string // of the document, "-" where it has none
	text     string
	reason   string // why there is no test yet, "" where there has to be one
	tests    []test
}

const header = "number\tdocument\tsection\trule\twhy not yet"

// loadRules reads the checklist: tab-separated, numbered from 1 without gaps.
func loadRules(name string) ([]*rule, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the checklist: %w", err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if lines[0] != header {
		return nil, fmt.Errorf("%s: the first line has to be %q", name, header)
	}
	var list []*rule
	for i, line := range lines[1:] {
		f := strings.Split(line, "\t")
		if len(f) != 5 || slices.Contains(f, "") || f[0] != strconv.Itoa(i+1) {
			return nil, fmt.Errorf("%s:%d: want rule %d in five columns, none of them empty", name, i+2, i+1)
		}
		r := &rule{number: i + 1, document: f[1], section: f[2], text: f[3], reason: f[4]}
		if r.reason == "-" {
			r.reason = ""
		}
		list = append(list, r)
	}
	return list, nil
}

// assign hands each test to its rule and returns what does not fit.
func assign(list []*rule, tests []test) []string {
	var problems []string
	for _, t := range tests {
		if t.number < 1 || t.number > len(list) || list[t.number-1].document != t.document {
			problems = append(problems, fmt.Sprintf("%s in %s names no rule of the checklist", t.name, t.file))
			continue
		}
		r := list[t.number-1]
		r.tests = append(r.tests, t)
	}
	for _, r := range list {
		switch {
		case len(r.tests) == 0 && r.reason == "":
			problems = append(problems, fmt.Sprintf("rule %d (%s) has neither a test nor a reason: %s", r.number, r.document, r.text))
		case len(r.tests) > 0 && r.reason != "":
			problems = append(problems, fmt.Sprintf("rule %d (%s) has a test and still a reason for none: %s", r.number, r.document, r.reason))
		}
	}
	return problems
}
