package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// render is the page of c in roff, of the macros man. parent is the command that
// c is below; nothing is above the root.
func render(c, parent command) []byte {
	var p page
	t := parse(c.help)
	p.linef(`.\" Made by tools/manpage from usher help %s. Change that instead.`, strings.Join(c.path, " "))
	p.linef(`.TH %s 1 "" "usher" "usher"`, quote(strings.ToUpper(c.name())))
	p.linef(".nh")   // a command is not to be broken,
	p.linef(".ad l") // and blanks in it are not to be widened
	p.linef(".SH NAME")
	p.linef(`%s \- %s`, literal(c.name()), prose(c.short))
	p.linef(".SH SYNOPSIS")
	if len(t.synopsis) == 0 { // a topic
		t.synopsis = []string{"usher help " + strings.Join(c.path, " ")}
	}
	p.literal(t.synopsis)
	p.linef(".SH DESCRIPTION")
	p.parts(t.about)
	if len(t.options) > 0 {
		p.linef(".SH OPTIONS")
		p.parts(t.options)
	}
	if len(t.examples) > 0 {
		p.linef(".SH EXAMPLES")
		p.literal(t.examples)
	}
	p.linef(".SH SEE ALSO")
	p.linef("%s", strings.Join(related(c, parent), ",\n"))
	return p.Bytes()
}

// related are the pages that go with that of c.
func related(c, parent command) (pages []string) {
	for _, other := range append([]command{parent}, c.subs...) {
		if len(other.help) > 0 {
			pages = append(pages, other.name())
		}
	}
	if len(c.path) > 0 {
		pages = append(pages, "usher", "usher-exit-codes")
	}
	slices.Sort(pages)
	pages = slices.DeleteFunc(slices.Compact(pages), func(name string) bool { return name == c.name() })
	for i := range pages {
		pages[i] = `\fB` + literal(pages[i]) + `\fR(1)`
	}
	return pages
}

// page is a page that is being written.
type page struct{ bytes.Buffer }

func (p *page) linef(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *page) parts(all []part) {
	grouped := false
	for _, part := range all {
		switch {
		case part.heading != "":
			grouped = true
			p.linef(".SS %s", quote(part.heading))
		case part.paragraph != nil:
			if grouped { // it is not about the last group
				p.linef(".SH NOTES")
				grouped = false
			}
			p.linef(".PP")
			for _, line := range part.paragraph {
				p.linef("%s", prose(line))
			}
		case part.literal != nil:
			p.literal(part.literal)
		}
		for _, i := range part.items {
			p.linef(".TP")
			p.linef("%s", head(i.head))
			p.told(i.lines)
		}
	}
}

// ofItsOwn is how a line begins that is one of several choices.
var ofItsOwn = regexp.MustCompile(`^[a-z-]+: `)

// told writes what an item tells: lines that are filled, but for those that stand
// for themselves.
func (p *page) told(lines []string) {
	apart := false
	for n, line := range lines {
		deeper := strings.HasPrefix(line, " ")
		if n > 0 && (deeper || apart || ofItsOwn.MatchString(line)) {
			p.linef(".br")
		}
		apart = deeper
		p.linef("%s", prose(strings.TrimLeft(line, " ")))
	}
}

// literal writes lines as they are.
func (p *page) literal(lines []string) {
	p.linef(".PP")
	p.linef(".nf")
	for _, line := range lines {
		p.linef("%s", literal(strings.TrimPrefix(line, "  ")))
	}
	p.linef(".fi")
}

// head is the head of an item: words of the command line in bold, and what stands
// for something in italics.
func head(text string) string {
	var b strings.Builder
	for n, word := range strings.Split(text, " ") {
		if n > 0 {
			b.WriteByte(' ')
		}
		font := `\fB`
		if n > 0 && !strings.HasPrefix(word, "-") {
			font = `\fI`
		}
		b.WriteString(font + literal(word) + `\fR`)
	}
	return b.String()
}

// literal is text in which each character is itself.
func literal(text string) string {
	return guard(strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`).Replace(text))
}

// flag is a flag in prose.
var flag = regexp.MustCompile(`(^|[ (,])(--?[a-z][a-z-]*)`)

// prose is text in which a hyphen is one, but in flags.
func prose(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	return guard(flag.ReplaceAllStringFunc(text, func(f string) string { return strings.ReplaceAll(f, "-", `\-`) }))
}

// guard keeps a line from being taken for a request.
func guard(line string) string {
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}

// quote is text as the argument of a macro.
func quote(text string) string { return `"` + strings.ReplaceAll(literal(text), `"`, `\(dq`) + `"` }
