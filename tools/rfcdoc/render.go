package main

import (
	"bytes"
	"fmt"
	"strings"
)

// render returns the document: first the rules with tests, then the rest.
func render(list []*rule) []byte {
	var with, without []*rule
	for _, r := range list {
		if len(r.tests) > 0 {
			with = append(with, r)
		} else {
			without = append(without, r)
		}
	}
	var b bytes.Buffer
	b.WriteString("# What the OAuth documents demand of a client, and where it is tested\n\n")
	b.WriteString("Generated from the names of the tests and from rfc-checklist.tsv by `make docs`; do not edit.\n")
	fmt.Fprintf(&b, "%d of %d rules have a test. The rules are in our own words; the documents decide.\n", len(with), len(list))

	section(&b, "Tested", "Tests", with, func(r *rule) string {
		var tests []string
		for _, t := range r.tests {
			tests = append(tests, fmt.Sprintf("[%s](../%s)", strings.SplitN(t.name, "_", 3)[2], t.file))
		}
		return strings.Join(tests, ", ")
	})
	section(&b, "Not tested yet", "Why", without, func(r *rule) string {
		if r.reason == "" {
			return "a test is missing"
		}
		return r.reason
	})
	return b.Bytes()
}

// section writes a table of the rules with a last column of its own.
func section(b *bytes.Buffer, title, last string, rules []*rule, cell func(*rule) string) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if len(rules) == 0 {
		b.WriteString("None.\n")
		return
	}
	fmt.Fprintf(b, "| No. | Document | Rule | %s |\n| --- | --- | --- | --- |\n", last)
	for _, r := range rules {
		fmt.Fprintf(b, "| %d | %s | %s | %s |\n", r.number, source(r), r.text, cell(r))
	}
}

// source names the rule's document and section for a reader.
func source(r *rule) string {
	name := r.document
	switch n, isRFC := strings.CutPrefix(name, "RFC"); {
	case isRFC:
		name = fmt.Sprintf("[RFC %s](https://www.rfc-editor.org/rfc/rfc%s)", n, n)
	case name == "OAuth21":
		name = "OAuth 2.1 draft"
	case name == "MCP":
		name = "MCP authorization"
	case name == "HTTP":
		name = "HTTP hygiene"
	}
	if r.section != "-" {
		name += " " + r.section
	}
	return name
}
