package promtext_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/internal/promtext"
)

// The format is that of
// https://prometheus.io/docs/instrumenting/exposition_formats/; other people's
// parser reads a real daemon's text in e2e.
func TestText(t *testing.T) {
	var text promtext.Text
	text.Gauge("up", "First line\nand a \\.")
	text.Sample(1)
	text.Counter("asked_total", `Not "escaped".`)
	text.Sample(3, "key", "github/work", "result", "refreshed")
	text.Sample(0.25, "key", "a\\b\"c\nd")
	text.Gauge("ends_timestamp_seconds", "When.")
	text.Time(time.UnixMilli(1795289081241))
	text.Time(time.Unix(1795289081, 0), "key", "b")
	text.Time(time.Time{}, "key", "never")
	text.Gauge("odd", "Odd values.")
	text.Sample(math.Inf(1))
	text.Sample(math.Inf(-1))
	text.Sample(math.NaN())
	text.Sample(-2)
	text.Sample(1e300)
	text.Flag(true, "on", "yes")
	text.Flag(false, "on", "no")
	const want = `# HELP up First line\nand a \\.
# TYPE up gauge
up 1
# HELP asked_total Not "escaped".
# TYPE asked_total counter
asked_total{key="github/work",result="refreshed"} 3
asked_total{key="a\\b\"c\nd"} 0.25
# HELP ends_timestamp_seconds When.
# TYPE ends_timestamp_seconds gauge
ends_timestamp_seconds 1.795289081241e+09
ends_timestamp_seconds{key="b"} 1795289081
# HELP odd Odd values.
# TYPE odd gauge
odd +Inf
odd -Inf
odd NaN
odd -2
odd 1e+300
odd{on="yes"} 1
odd{on="no"} 0
`
	if diff := cmp.Diff(want, string(text.Bytes())); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestHistogram(t *testing.T) {
	h := promtext.NewHistogram(0.125, 1, 10)
	var wg sync.WaitGroup
	for _, v := range []float64{0, 0.125, 0.25, 1, 2.5, 11, 100} {
		wg.Go(func() { h.Observe(v) })
	}
	wg.Wait()
	var text promtext.Text
	text.Histogram("took_seconds", "How long.", h)
	const want = `# HELP took_seconds How long.
# TYPE took_seconds histogram
took_seconds_bucket{le="0.125"} 2
took_seconds_bucket{le="1"} 4
took_seconds_bucket{le="10"} 5
took_seconds_bucket{le="+Inf"} 7
took_seconds_sum 114.875
took_seconds_count 7
`
	if diff := cmp.Diff(want, string(text.Bytes())); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}
