package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The pages that are checked in are those of the program of today.
func TestPagesAreUpToDate(t *testing.T) {
	root := filepath.Join("..", "..")
	program := filepath.Join(t.TempDir(), "usher")
	build := exec.Command("go", "build", "-o", program, "./cmd/usher")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building usher: %v\n%s", err, out)
	}
	pages, err := collect(program)
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) < 30 {
		t.Errorf("usher has %d pages, which is too few", len(pages))
	}
	dir := filepath.Join(root, "docs", "man", "man1")
	there, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range there {
		if pages[e.Name()] == nil {
			t.Errorf("docs/man/man1/%s is the page of nothing: make docs", e.Name())
		}
	}
	for name, text := range pages {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != string(text) {
			t.Errorf("docs/man/man1/%s is out of date: make docs (%v)", name, err)
		}
	}
}

const sample = `Do it. 'quoted' text with a --flag, a well-known word and a \ in it.
.not a request

usage: usher do THING [flags]
       usher do COMMAND

  sub THING   below it

group
  one       the first
  two
            the second

Numbers:

    0  zero
  130  many

  --flag F    choose: as
                deeper     in it
              and on
  --lone
  --json      print JSON

It is in:

  [section "x"]
      key = value

Text between.

examples:
  usher do it \
      --flag 'x'

  .dot
`

const want = `.\" Made by tools/manpage from usher help do. Change that instead.
.TH "USHER\-DO" 1 "" "usher" "usher"
.nh
.ad l
.SH NAME
usher\-do \- do it
.SH SYNOPSIS
.PP
.nf
usher do THING [flags]
usher do COMMAND
.fi
.SH DESCRIPTION
.PP
Do it. \(aqquoted\(aq text with a \-\-flag, a well-known word and a \e in it.
\&.not a request
.TP
\fBsub\fR \fITHING\fR
below it
.SS "group"
.TP
\fBone\fR
the first
.TP
\fBtwo\fR
the second
.SH NOTES
.PP
Numbers:
.TP
\fB0\fR
zero
.TP
\fB130\fR
many
.PP
It is in:
.PP
.nf
[section \(dqx\(dq]
    key = value
.fi
.PP
Text between.
.SH OPTIONS
.TP
\fB\-\-flag\fR \fIF\fR
choose: as
.br
deeper     in it
.br
and on
.TP
\fB\-\-lone\fR
.TP
\fB\-\-json\fR
print JSON
.SH EXAMPLES
.PP
.nf
usher do it \e
    \-\-flag \(aqx\(aq

\&.dot
.fi
.SH SEE ALSO
\fBusher\fR(1),
\fBusher\-do\-sub\fR(1),
\fBusher\-exit\-codes\fR(1)
`

func TestRender(t *testing.T) {
	do := command{path: []string{"do"}, short: "do it", help: sample}
	do.subs = []command{{path: []string{"do", "sub"}, help: "x"}}
	got := string(render(do, command{help: "x"}))
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for n := range max(len(gotLines), len(wantLines)) {
		if n >= len(gotLines) || n >= len(wantLines) || gotLines[n] != wantLines[n] {
			t.Fatalf("line %d differs\ngot:\n%s\nwant:\n%s", n+1, strings.Join(gotLines[n:], "\n"), strings.Join(wantLines[min(n, len(wantLines)):], "\n"))
		}
	}
}
