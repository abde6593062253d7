package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A test is a test function that names a rule.
type test struct {
	name     string
	file     string // relative to the root, with slashes
	document string
	number   int
}

var (
	// numbered matches names that mean to name a rule.
	numbered = regexp.MustCompile(`^Test(RFC\d+|MCP|HTTP|OAuth21)_\d`)
	wellMade = regexp.MustCompile(`^Test(RFC\d+|MCP|HTTP|OAuth21)_(\d+)_[A-Z]\w+$`)
)

// collect returns the tests of the tree that name rules, in the order of their
// files and names, and a problem per name that is not well made.
func collect(root string) (tests []test, problems []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if b := d.Name(); path != root && (b == "testdata" || b == "node_modules" || b[0] == '.') {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		file := filepath.ToSlash(rel)
		names, err := testNames(path)
		for _, name := range names {
			m := wellMade.FindStringSubmatch(name)
			if m == nil {
				problems = append(problems, fmt.Sprintf("%s in %s is not of the form TestRFC8628_33_Words", name, file))
				continue
			}
			n, err := strconv.Atoi(m[2])
			if err != nil {
				return err
			}
			tests = append(tests, test{name: name, file: file, document: m[1], number: n})
		}
		return err
	})
	slices.SortFunc(tests, func(a, b test) int { return strings.Compare(a.file+" "+a.name, b.file+" "+b.name) })
	return tests, problems, err
}

func testNames(path string) ([]string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && numbered.MatchString(fn.Name.Name) {
			names = append(names, fn.Name.Name)
		}
	}
	return names, nil
}
