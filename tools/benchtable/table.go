package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// results are the values of each metric, one per run.
type results map[metric][]float64

// line matches a result of go test -bench: a name, with the number of processors
// unless that is one, how often it ran, and pairs of value and unit.
var line = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// add takes in the output of one run.
func (r results) add(out []byte) {
	for text := range bytes.Lines(out) {
		found := line.FindSubmatch(bytes.TrimSpace(text))
		if found == nil {
			continue
		}
		fields := strings.Fields(string(found[2]))
		for i := 0; i+1 < len(fields); i += 2 {
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				of := metric{string(found[1]), fields[i+1]}
				r[of] = append(r[of], value)
			}
		}
	}
}

// of is the median of m's values.
func (r results) of(m metric) (float64, error) {
	if len(r[m]) == 0 {
		return 0, fmt.Errorf("no %s reported by Benchmark%s", m.unit, m.bench)
	}
	return median(r[m]), nil
}

// ratio is the median of what each run says about a and b: how busy the machine
// was differs from run to run.
func (r results) ratio(a, b metric) float64 {
	ratios := make([]float64, min(len(r[a]), len(r[b])))
	for i := range ratios {
		ratios[i] = r[a][i] / r[b][i]
	}
	return median(ratios)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// printTable prints the rows; of several runs, the medians.
func printTable(w io.Writer, rows []row, measured results) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "what\tmeasured\tbaseline\tratio\ttarget\treached")
	for _, r := range rows {
		value, err := measured.of(r.of)
		if err != nil {
			return err
		}
		baseline, ratio := "-", 0.0
		if r.baseline != (metric{}) {
			base, err := measured.of(r.baseline)
			if err != nil {
				return err
			}
			baseline, ratio = number(base), measured.ratio(r.of, r.baseline)
		}
		shown, target, reached := "-", "-", "-"
		if ratio > 0 {
			shown = strconv.FormatFloat(ratio, 'f', 2, 64)
		}
		switch {
		case r.atMost > 0:
			target, reached = "<= "+number(r.atMost), answer(value <= r.atMost)
		case r.share > 0:
			target, reached = "ratio >= "+number(r.share), answer(ratio >= r.share)
		}
		fmt.Fprintf(t, "%s\t%s %s\t%s\t%s\t%s\t%s\n", r.what, number(value), unit(r.of.unit), baseline, shown, target, reached)
	}
	return t.Flush()
}

func answer(yes bool) string {
	if yes {
		return "yes"
	}
	return "NO"
}

// number is v with about three digits that say something.
func number(v float64) string {
	switch {
	case v >= 100 || v == float64(int64(v)):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// unit is the part of a metric's unit that a reader needs: the row says the rest.
func unit(u string) string {
	for _, known := range []string{"req/s", "ns", "us", "ms", "MiB", "MB", "B", "x"} {
		if slices.Contains(strings.FieldsFunc(u, func(r rune) bool { return r == '-' || r == '/' }), known) ||
			strings.HasSuffix(u, known) {
			return known
		}
	}
	return "s"
}
