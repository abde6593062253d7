// Package promtext writes metrics in the Prometheus text format, version 0.0.4.
// A library would do more and be linked into every command.
//
// Build a [Text] family by family: [Text.Counter], [Text.Gauge] or
// [Text.Histogram] begins one, and [Text.Sample] adds to the one that was begun
// last. Names of metrics and labels are the caller's, and not checked; values of
// labels may be any text.
package promtext

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// ContentType is the media type of the format.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Text is the text of metrics. The zero Text is empty and ready for use.
type Text struct {
	b    []byte
	name string // of the family that was begun last
}

// Bytes is the text so far. It ends with a line feed unless it is empty.
func (t *Text) Bytes() []byte { return t.b }

// Counter begins a family of values that only grow, but for restarts. Its name
// ends in _total.
func (t *Text) Counter(name, help string) { t.begin(name, help, "counter") }

// Gauge begins a family of values that go up and down.
func (t *Text) Gauge(name, help string) { t.begin(name, help, "gauge") }

func (t *Text) begin(name, help, typ string) {
	t.name = name
	t.b = append(t.b, "# HELP "+name+" "+helpEscapes.Replace(help)+"\n# TYPE "+name+" "+typ+"\n"...)
}

// Sample adds a value to the family that was begun last. labels are names and
// values in turn.
func (t *Text) Sample(value float64, labels ...string) { t.sample("", value, labels...) }

// Time adds a moment, in seconds since 1970, and nothing if it is zero.
func (t *Text) Time(at time.Time, labels ...string) {
	if !at.IsZero() {
		t.Sample(float64(at.UnixMilli())/1000, labels...)
	}
}

// Flag adds 1 for true and 0 for false.
func (t *Text) Flag(on bool, labels ...string) {
	value := 0.0
	if on {
		value = 1
	}
	t.Sample(value, labels...)
}

// Histogram writes the whole family of h, which has no labels.
func (t *Text) Histogram(name, help string, h *Histogram) {
	t.begin(name, help, "histogram")
	counts, sum := h.read()
	var below uint64
	for i, count := range counts {
		below += count
		bound := math.Inf(1)
		if i < len(h.bounds) {
			bound = h.bounds[i]
		}
		t.sample("_bucket", float64(below), "le", number(bound))
	}
	t.sample("_sum", sum)
	t.sample("_count", float64(below))
}

func (t *Text) sample(suffix string, value float64, labels ...string) {
	t.b = append(append(t.b, t.name...), suffix...)
	for i := 0; i < len(labels); i += 2 {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		t.b = append(append(t.b, separator), labels[i]...)
		t.b = append(t.b, `="`+labelEscapes.Replace(labels[i+1])+`"`...)
	}
	if len(labels) > 0 {
		t.b = append(t.b, '}')
	}
	t.b = append(append(append(t.b, ' '), number(value)...), '\n')
}

var (
	helpEscapes  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// number is a value as the format has it.
func number(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	case v == math.Trunc(v) && math.Abs(v) < 1<<53:
		return strconv.FormatInt(int64(v), 10) // 1795289081 and not 1.795289081e+09
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
