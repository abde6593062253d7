package cli

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/credhelper"
)

func TestArguments(t *testing.T) {
	for _, tt := range []struct{ argv, want string }{
		{"usher token box", "token box"},
		{"/usr/bin/usher", ""},
		{"docker-credential-usher get", "helper docker get"},
		{"/opt/x/docker-credential-usher.exe list", "helper docker list"},
		{"./git-credential-usher --host a box get", "helper git --host a box get"},
		{"xgit-credential-usher get", "get"},
		{"git-credential-usher/usher get", "get"},
		{"", ""},
	} {
		if got := Arguments(strings.Fields(tt.argv)); !slices.Equal(got, strings.Fields(tt.want)) {
			t.Errorf("Arguments(%q) = %q", tt.argv, got)
		}
	}
}

// A tool that never ends its question does not hold its helper for ever.
func TestHelperGivesUpOnAQuestionThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, tool := io.Pipe()
		defer tool.Close() // ends the read
		began := time.Now()
		a := &app{in: in, getenv: func(string) string { return "" }}
		err := a.runHelperGit(t.Context(), helperGitOptions{operation: "get"})
		if e := asError(err); e.Code != api.CodeTimeout || time.Since(began) != tokenPatience {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// What git says may be a password.
func TestQuestionIsNotRepeated(t *testing.T) {
	_, err := readQuestion(t.Context(), strings.NewReader("password=hunter2\npassword=hunter2\n"), credhelper.ParseGit)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}
