package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// TestDocumentIsCurrent compares docs/rfc.md with the tests of the tree.
func TestDocumentIsCurrent(t *testing.T) {
	want, problems, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
	got, err := os.ReadFile(filepath.Join(root, "docs", "rfc.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/rfc.md is out of date: run `make docs`")
	}
}

const checklist = header + "\n" +
	"1\tRFC8628\t3.1\tFirst rule.\t-\n" +
	"2\tRFC8628\t-\tSecond rule.\tno time yet\n" +
	"3\tMCP\t-\tThird rule.\t-\n"

// tree writes files into a folder and returns it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestGenerate(t *testing.T) {
	dir := tree(t, map[string]string{
		"docs/rfc-checklist.tsv": checklist,
		"a/a_test.go":            "package a\nfunc TestRFC8628_1_OneWay(t *testing.T) {}\nfunc TestMCP_3_Third(t *testing.T) {}\nfunc TestOther(t *testing.T) {}\n",
		"b/b_test.go":            "package b\nfunc TestRFC8628_1_AnotherWay(t *testing.T) {}\nfunc (x) TestRFC8628_9_Method(t *testing.T) {}\n",
		"b/testdata/c_test.go":   "package c\nfunc TestRFC8628_9_Fixture(t *testing.T) {}\n",
	})
	text, problems, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) > 0 {
		t.Errorf("problems: %q", problems)
	}
	for _, want := range []string{
		"2 of 3 rules have a test.",
		"| 1 | [RFC 8628](https://www.rfc-editor.org/rfc/rfc8628) 3.1 | First rule. | [OneWay](../a/a_test.go), [AnotherWay](../b/b_test.go) |\n",
		"| 3 | MCP authorization | Third rule. | [Third](../a/a_test.go) |\n",
		"## Not tested yet\n\n| No. | Document | Rule | Why |\n| --- | --- | --- | --- |\n| 2 | [RFC 8628](https://www.rfc-editor.org/rfc/rfc8628) | Second rule. | no time yet |\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the document lacks %q:\n%s", want, text)
		}
	}
}

func TestGenerateFindsProblems(t *testing.T) {
	dir := tree(t, map[string]string{
		"docs/rfc-checklist.tsv": checklist,
		"a/a_test.go": "package a\n" +
			"func TestRFC8628_2_Outdated(t *testing.T) {}\n" +
			"func TestRFC8628_4_NoSuchRule(t *testing.T) {}\n" +
			"func TestRFC6749_1_OtherDocument(t *testing.T) {}\n" +
			"func TestRFC8628_1(t *testing.T) {}\n",
	})
	_, got, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"TestRFC8628_1 in a/a_test.go is not of the form TestRFC8628_33_Words",
		"TestRFC6749_1_OtherDocument in a/a_test.go names no rule of the checklist",
		"TestRFC8628_4_NoSuchRule in a/a_test.go names no rule of the checklist",
		"rule 1 (RFC8628) has neither a test nor a reason: First rule.",
		"rule 2 (RFC8628) has a test and still a reason for none: no time yet",
		"rule 3 (MCP) has neither a test nor a reason: Third rule.",
	}
	if !slices.Equal(got, want) {
		t.Errorf("problems:\ngot  %q\nwant %q", got, want)
	}
}

func TestLoadRulesRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no header":    "1\tRFC8628\t3.1\tRule.\t-\n",
		"a gap":        header + "\n2\tRFC8628\t3.1\tRule.\t-\n",
		"four columns": header + "\n1\tRFC8628\t3.1\tRule.\n",
		"empty column": header + "\n1\tRFC8628\t\tRule.\t-\n",
	} {
		dir := tree(t, map[string]string{"list": text})
		if _, err := loadRules(filepath.Join(dir, "list")); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
