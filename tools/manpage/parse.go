package main

import (
	"regexp"
	"slices"
	"strings"
)

// A text is the help of a command in its parts.
type text struct {
	synopsis []string
	// about are paragraphs and lists in their order; options are the lists of
	// flags.
	about, options []part
	examples       []string
}

// A part is a paragraph, a list, a heading, or lines to be left as they are.
type part struct {
	heading   string
	paragraph []string
	items     []item
	literal   []string
}

// An item of a list: what it is about, and the lines that tell.
type item struct {
	head  string
	lines []string
}

var (
	usageLine   = regexp.MustCompile(`^usage: `)
	optionLine  = regexp.MustCompile(`^ {1,4}--?[a-z]`)
	exampleLine = regexp.MustCompile(`^examples?\b.*:$`)
	// itemLine is an indented head and what is said of it, two blanks apart.
	itemLine = regexp.MustCompile(`^( +)(\S+(?: \S+)*)(?:  +(\S.*))?$`)
)

// parse takes the help of a command apart, as it is written by hand: blocks with
// an empty line between them.
func parse(help string) (t text) {
	inExamples := false
	for block := range strings.SplitSeq(strings.Trim(help, "\n"), "\n\n") {
		lines := strings.Split(block, "\n")
		switch {
		case usageLine.MatchString(block):
			for _, line := range lines {
				t.synopsis = append(t.synopsis, strings.TrimPrefix(strings.TrimPrefix(line, "usage: "), "       "))
			}
		case exampleLine.MatchString(lines[0]):
			inExamples = true
			t.examples = append(t.examples, lines[1:]...)
		case inExamples && strings.HasPrefix(block, " "):
			t.examples = append(append(t.examples, ""), lines...)
		case slices.ContainsFunc(lines, optionLine.MatchString):
			t.options = append(t.options, parts(lines)...)
		default:
			t.about = append(t.about, parts(lines)...)
		}
	}
	return t
}

// parts takes the lines of a block apart. A single line right above a list is its
// heading.
func parts(lines []string) (all []part) {
	for len(lines) > 0 {
		text, indented := span(lines, false), span(lines[span(lines, false):], true)
		below := lines[text : text+indented]
		if p := list(below); text == 1 && p.items != nil {
			all = append(all, part{heading: strings.TrimSuffix(lines[0], ":")}, p)
		} else {
			if text > 0 {
				all = append(all, part{paragraph: lines[:text]})
			}
			if indented > 0 {
				all = append(all, p)
			}
		}
		lines = lines[text+indented:]
	}
	return all
}

// span is how many lines at the beginning are indented, or are not.
func span(lines []string, indented bool) int {
	for n, line := range lines {
		if strings.HasPrefix(line, " ") != indented {
			return n
		}
	}
	return len(lines)
}

// tab is how much deeper than its head at least the text of an item begins.
const tab = 8

// list makes a list of indented lines, or leaves them as they are if they tell
// nothing of their heads.
func list(lines []string) part {
	if len(lines) == 0 {
		return part{}
	}
	least := indent(lines[0]) // numbers are flush right
	for _, line := range lines {
		least = min(least, indent(line))
	}
	var p part
	column, told := 0, false // where the text of an item begins; 0: not known yet
	for _, line := range lines {
		m := itemLine.FindStringSubmatchIndex(line)
		switch isItem := m != nil && m[3] <= least+3 && (m[6] >= 0 || m[3] == least); {
		case isItem && m[6] < 0:
			p.items = append(p.items, item{head: line[m[4]:m[5]]})
			column = 0
			continue
		case isItem:
			column = m[6]
			p.items = append(p.items, item{head: line[m[4]:m[5]], lines: []string{line[column:]}})
		default:
			if column == 0 {
				column = indent(line)
			}
			if column < least+tab {
				return part{literal: lines} // such as a file of nested settings
			}
			last := &p.items[len(p.items)-1]
			last.lines = append(last.lines, line[min(column, indent(line)):])
		}
		told = true
	}
	if !told {
		return part{literal: lines}
	}
	return p
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
