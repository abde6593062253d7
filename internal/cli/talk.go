package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/safetext"
	"github.com/usherauth/usher/internal/term"
)

// sayf tells a person something on standard error, wrapped to the width of a
// terminal. Foreign text in its arguments has been through safetext.
func (a *app) sayf(format string, args ...any) {
	a.say(term.Wrap(fmt.Sprintf(format, args...), a.err.Columns()))
}

// say tells text as it is.
func (a *app) say(text string) {
	// A person who is not there cannot be told that either.
	_, _ = fmt.Fprintln(a.err, text)
}

func (a *app) warnf(format string, args ...any) { a.sayf("usher: warning: "+format, args...) }

// printf writes a part of the result to standard output.
func (a *app) printf(format string, args ...any) error {
	if _, err := fmt.Fprintf(a.out, format, args...); err != nil {
		return api.Errorf(api.CodeInternal, "writing to standard output: %w", err)
	}
	return nil
}

// printJSON writes v as one line of JSON to standard output.
func (a *app) printJSON(v any) error {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false) // so that a link can be copied out of it
	if err := e.Encode(v); err != nil {
		return api.Errorf(api.CodeInternal, "encoding the result: %w", err)
	}
	return a.printf("%s", &line)
}

// printLines writes lines to standard output.
func (a *app) printLines(lines []string) error {
	for _, line := range lines {
		if err := a.printf("%s\n", line); err != nil {
			return err
		}
	}
	return nil
}

// show makes foreign text fit to be shown.
func show(text string) string { return safetext.Line(text, 0) }

// unit is a unit of time that people count in.
type unit struct {
	length      time.Duration
	short, long string
}

var units = []unit{
	{24 * time.Hour, "d", "day"},
	{time.Hour, "h", "hour"},
	{time.Minute, "min", "minute"},
	{time.Second, "s", "second"},
}

// count returns d in the largest unit of which there are at least two, so that
// what is lost to rounding is small; 90 minutes are not one hour.
func count(d time.Duration) (int, unit) {
	d = max(d, 0)
	for _, u := range units {
		if d >= 2*u.length || u.length == time.Second {
			return int(d / u.length), u
		}
	}
	return 0, units[len(units)-1]
}

// span is d in words, such as "59 minutes".
func span(d time.Duration) string {
	n, u := count(d)
	if n == 1 {
		return "1 " + u.long
	}
	return fmt.Sprintf("%d %ss", n, u.long)
}

// when is t as seen from now, such as "in 58 min", "2 min ago" or "-".
func when(t, now time.Time) string {
	switch {
	case t.IsZero():
		return "-"
	case t.After(now):
		n, u := count(seconds(t.Sub(now)))
		return fmt.Sprintf("in %d %s", n, u.short)
	default:
		n, u := count(now.Sub(t))
		return fmt.Sprintf("%d %s ago", n, u.short)
	}
}

// seconds rounds d up to whole seconds: times in views are cut off to those, so
// what just got an hour would have 59 minutes.
func seconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// clock is d as m:ss.
func clock(d time.Duration) string {
	s := int(seconds(max(d, 0)) / time.Second)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
