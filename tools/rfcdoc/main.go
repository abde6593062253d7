// Command rfcdoc writes docs/rfc.md: what the OAuth documents demand of a
// client, rule by rule, with the tests that prove it, and the rest with the
// reason why there is none yet.
//
// The rules stand in docs/rfc-checklist.tsv. A test proves a rule by its name:
//
//	TestRFC8628_33_SlowDownAddsFiveSeconds
//
// which is the rule's document, its number in the list, and words of its own.
// Several tests may prove one rule.
//
// Usage:
//
//	rfcdoc ROOT
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: rfcdoc ROOT")
		os.Exit(2)
	}
	root := os.Args[1]
	text, problems, err := generate(root)
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "docs", "rfc.md"), text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rfcdoc:", err)
		os.Exit(1)
	}
	// The document is written all the same, so that it shows the gaps.
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, "rfcdoc:", p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

// generate returns the document for the tree at root, and what is wrong with
// the tree: tests named after no rule, rules with neither test nor reason, and
// reasons that a test has outdated.
func generate(root string) (text []byte, problems []string, err error) {
	list, err := loadRules(filepath.Join(root, "docs", "rfc-checklist.tsv"))
	if err != nil {
		return nil, nil, err
	}
	tests, problems, err := collect(root)
	if err != nil {
		return nil, nil, err
	}
	problems = append(problems, assign(list, tests)...)
	return render(list), problems, nil
}
