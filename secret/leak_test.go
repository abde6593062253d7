package secret_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/usherauth/usher/secret"
)

// canary is the value no test may find in any output.
const canary = "cAnArY-0123456789"

// panicEnv makes the test binary panic with a secret instead of testing.
const panicEnv = "SECRET_TEST_PANIC"

func TestMain(m *testing.M) {
	if how := os.Getenv(panicEnv); how != "" {
		panicWith(how)
	}
	os.Exit(m.Run())
}

type exported struct{ Token secret.String }

type unexported struct{ token secret.String }

type embedded struct {
	secret.String
	Name string
}

type nested struct{ inner *unexported }

// holders are the ways a secret gets into a value that is then printed.
func holders() map[string]any {
	s := secret.New(canary)
	return map[string]any{
		"value":               s,
		"pointer":             &s,
		"exported field":      exported{s},
		"pointer to exported": &exported{s},
		"unexported field":    unexported{s},
		"pointer to hidden":   &unexported{s},
		"nested pointer":      nested{&unexported{s}},
		"embedded":            embedded{s, "name"},
		"anonymous hidden":    struct{ v any }{s},
		"slice":               []secret.String{s},
		"slice of hidden":     []unexported{{s}},
		"array":               [1]secret.String{s},
		"map":                 map[string]secret.String{"k": s},
		"map of hidden":       map[string]unexported{"k": {s}},
		"any in slice":        []any{s},
		"wrapped error":       fmt.Errorf("refreshing: %w", errors.Join(fmt.Errorf("with %v", s), fmt.Errorf("or %#v", unexported{s}))),
		"error holding it":    holdingError{s},
	}
}

type holdingError struct{ token secret.String }

func (e holdingError) Error() string { return fmt.Sprint("refused ", e.token) }

// TestCheckClean proves that the scan finds what it looks for.
func TestCheckClean(t *testing.T) {
	for _, form := range forms() {
		if found := leaks("before " + form + " after"); found == "" {
			t.Errorf("leaks does not find %q", form)
		}
	}
	if found := leaks(fmt.Sprintf("%v", struct{ token string }{canary})); found == "" {
		t.Error("leaks does not find a plain string in a struct")
	}
}

func TestFormatDoesNotLeak(t *testing.T) {
	verbs := []string{
		"%v", "%+v", "%#v", "%s", "%q", "%+q", "%#q", "%x", "%X", "% x", "%#x", "%d", "%c", "%U", "%b", "%o",
		"%t", "%e", "%g", "%p", "%T", "%z", "%10v", "%.3s", "%-20s|",
	}
	for name, v := range holders() {
		t.Run(name, func(t *testing.T) {
			for _, verb := range verbs {
				checkClean(t, verb, fmt.Sprintf(verb, v))
			}
			checkClean(t, "Sprint", fmt.Sprint(v))
			checkClean(t, "Sprintln", fmt.Sprintln(v))
			checkClean(t, "wrapped", fmt.Errorf("doing: %v", v).Error())
		})
	}
}

func TestFormatShowsPlaceholder(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		if got, want := fmt.Sprintf(verb, secret.New(canary)), "[secret]"; got != want {
			t.Errorf("Sprintf(%q, value) = %q, want %q", verb, got, want)
		}
		if got, want := fmt.Sprintf(verb, secret.String{}), "[empty]"; got != want {
			t.Errorf("Sprintf(%q, zero) = %q, want %q", verb, got, want)
		}
	}
	if got, want := fmt.Sprintf("%T", secret.New(canary)), "secret.String"; got != want {
		t.Errorf("%%T = %q, want %q", got, want)
	}
}

func TestEncodersDoNotLeak(t *testing.T) {
	encoders := map[string]func(v any) ([]byte, error){
		"json": json.Marshal,
		"xml":  xml.Marshal,
		"toml": toml.Marshal,
		"gob": func(v any) ([]byte, error) {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return b.Bytes(), err
		},
	}
	for name, v := range holders() {
		for format, encode := range encoders {
			t.Run(format+"/"+name, func(t *testing.T) {
				// Not every encoder takes every holder; what it says about
				// that must be clean too.
				out, err := encode(v)
				checkClean(t, "output", string(out))
				if err != nil {
					checkClean(t, "error", err.Error())
				}
			})
		}
	}
	for format, encode := range encoders {
		t.Run(format+" shows the placeholder", func(t *testing.T) {
			out, err := encode(exported{secret.New(canary)})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(out, []byte("[secret]")) {
				t.Errorf("output %q does not hold the placeholder", out)
			}
		})
	}
}

func TestLogsDoNotLeak(t *testing.T) {
	var out bytes.Buffer
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	handlers := map[string]slog.Handler{
		"text": slog.NewTextHandler(&out, options),
		"json": slog.NewJSONHandler(&out, options),
	}
	for format, handler := range handlers {
		for name, v := range holders() {
			t.Run(format+"/"+name, func(t *testing.T) {
				out.Reset()
				slog.New(handler).With("with", v).WithGroup("group").
					LogAttrs(context.Background(), slog.LevelDebug, "message", slog.Any("attr", v))
				if out.Len() == 0 {
					t.Fatal("nothing was logged")
				}
				checkClean(t, "record", out.String())
			})
		}
	}
}

func TestDiffDoesNotLeak(t *testing.T) {
	allow := cmp.AllowUnexported(unexported{}, nested{}, holdingError{}, secret.String{})
	got := cmp.Diff(
		[]unexported{{secret.New(canary)}},
		[]unexported{{secret.New(canary + canary)}}, allow)
	if got == "" {
		t.Fatal("cmp.Diff of different secrets is empty")
	}
	checkClean(t, "cmp.Diff", got)
}

func TestPanicsDoNotLeak(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"value", "hidden", "error", "wrapped", "conversion"} {
		t.Run(how, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), exe)
			cmd.Env = append(os.Environ(), panicEnv+"="+how, "GOTRACEBACK=all")
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				t.Fatalf("child ended with %v, want a failed exit", err)
			}
			if !bytes.Contains(out, []byte("panic: ")) {
				t.Fatalf("child did not panic:\n%s", out)
			}
			checkClean(t, "panic text", string(out))
		})
	}
}

func panicWith(how string) {
	s := secret.New(canary)
	switch how {
	case "value":
		panic(s)
	case "hidden":
		panic(unexported{s})
	case "error":
		panic(holdingError{s})
	case "wrapped":
		panic(fmt.Errorf("outer: %w", holdingError{s}))
	case "conversion":
		_ = any(s).(error)
	}
}

// forms are the shapes in which the canary could show.
func forms() []string {
	decimal := strings.Trim(fmt.Sprint([]byte(canary)), "[]")
	return []string{
		canary,
		canary[:3],
		hex.EncodeToString([]byte(canary)),
		strings.ToUpper(hex.EncodeToString([]byte(canary))),
		fmt.Sprintf("% x", canary),
		base64.StdEncoding.EncodeToString([]byte(canary)),
		base64.RawURLEncoding.EncodeToString([]byte(canary)),
		decimal,
		strings.ReplaceAll(decimal, " ", ","),
	}
}

// leaks returns the form in which text holds the canary, or "".
func leaks(text string) string {
	for _, form := range forms() {
		if strings.Contains(text, form) {
			return form
		}
	}
	return ""
}

func checkClean(t *testing.T, where, text string) {
	t.Helper()
	if form := leaks(text); form != "" {
		t.Errorf("%s shows the secret as %q: %s", where, form, text)
	}
}
