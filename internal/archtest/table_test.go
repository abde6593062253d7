package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	tableRow  = regexp.MustCompile(`(?m)^\| (\d) \| ([^|]+) \|`)
	tableName = regexp.MustCompile("`([^`]+)`")
)

// documented returns the rows of the layer table in a document, as "row
// package".
func documented(text string) []string {
	var rows []string
	for _, m := range tableRow.FindAllStringSubmatch(text, -1) {
		for _, name := range tableName.FindAllStringSubmatch(m[2], -1) {
			dir := name[1]
			if dir == "usher" {
				dir = "."
			}
			rows = append(rows, m[1]+" "+dir)
		}
	}
	slices.Sort(rows)
	return rows
}

// TestDocumentHasTheTable compares the table that people read with the one
// that is enforced, as far as its packages are built.
func TestDocumentHasTheTable(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	pkgs, err := readTree(root)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, p := range pkgs {
		want = append(want, fmt.Sprintf("%d %s", layers[p.dir], p.dir))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, documented(string(text))); diff != "" {
		t.Errorf("docs/architecture.md differs from the layers of the tree (-want +got):\n%s", diff)
	}
}

func TestDocumentedReadsRows(t *testing.T) {
	text := strings.Join([]string{
		"| row | package | what lives there |", "|---|---|---|",
		"| 7 | `server` | HTTP: see `broker` |", "| 2 | `usher` (the root) | x |", "| 0 | `secret`, `internal/sse` | y |", "text",
	}, "\n")
	want := []string{"0 internal/sse", "0 secret", "2 .", "7 server"}
	if diff := cmp.Diff(want, documented(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
