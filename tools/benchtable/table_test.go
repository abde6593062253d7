package main

import (
	"strings"
	"testing"
)

const output = `goos: linux
BenchmarkPendingLogins-2   	       1	       900 B/login	      12.5 late-p99-ms
BenchmarkFan/hub-2 	 200	 4 p50-ms
--- BENCH: BenchmarkFan
    fan_test.go:1: 12 is no result
PASS
`

func TestTable(t *testing.T) {
	measured := make(results)
	measured.add([]byte(output))
	measured.add([]byte("BenchmarkFan/bare-2 \t 200\t 4 p50-ms\n"))
	measured.add([]byte("BenchmarkFan/hub \t 200\t 8 p50-ms\nBenchmarkFan/bare \t 200\t 16 p50-ms\n"))
	fan, bare := metric{"Fan/hub", "p50-ms"}, metric{"Fan/bare", "p50-ms"}
	var out strings.Builder
	err := printTable(&out, []row{
		{what: "memory", of: metric{"PendingLogins", "B/login"}, atMost: 1024},
		{what: "lateness", of: metric{"PendingLogins", "late-p99-ms"}, atMost: 5},
		{what: "fan-out", of: fan, baseline: bare},
		{what: "share", of: fan, baseline: bare, share: 0.85},
	}, measured)
	if err != nil {
		t.Fatal(err)
	}
	const want = `
what      measured  baseline  ratio  target         reached
memory    900 B     -         -      <= 1024        yes
lateness  12.5 ms   -         -      <= 5           NO
fan-out   6 ms      10        0.75   -              -
share     6 ms      10        0.75   ratio >= 0.85  NO
`
	if got := "\n" + out.String(); got != want {
		t.Errorf("got%s\nwant%s", got, want)
	}
}

// What is asked for and was not measured is an error, not an empty place.
func TestTableWithoutAResult(t *testing.T) {
	err := printTable(&strings.Builder{}, []row{{what: "memory", of: metric{"PendingLogins", "B/login"}}}, results{})
	if got, want := "", "no B/login reported by BenchmarkPendingLogins"; err == nil || err.Error() != want {
		t.Errorf("got %q, %v, want %s", got, err, want)
	}
}

func TestUnit(t *testing.T) {
	for u, want := range map[string]string{
		"B/login": "B", "RSS-B/login": "B", "late-p99-ms": "ms", "ms-best": "ms", "start-s": "s",
		"best-req/s": "req/s", "cpu-us/req": "us", "MB-resident": "MB", "B/subscriber": "B",
	} {
		if got := unit(u); got != want {
			t.Errorf("unit(%s) = %s, want %s", u, got, want)
		}
	}
}
