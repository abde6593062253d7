// Package shell writes lines that a shell reads: variables that are set and
// taken back, with values quoted so that nothing in them means anything to it.
// Use [Parse] or [Detect], then [Shell.Export].
package shell

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// Shell is a family of shells with one syntax.
type Shell string

const (
	// Sh is the POSIX shell: sh, dash, bash, zsh, ksh.
	Sh Shell = "sh"
	// Fish is fish.
	Fish Shell = "fish"
	// PowerShell is PowerShell, and the one of Windows.
	PowerShell Shell = "powershell"
)

// Parse returns the family of the shell called name, without a folder and, on
// Windows, its suffix.
func Parse(name string) (Shell, error) {
	switch strings.TrimSuffix(strings.ToLower(name), ".exe") {
	case "sh", "bash", "dash", "ksh", "zsh", "ash", "busybox":
		return Sh, nil
	case "fish":
		return Fish, nil
	case "powershell", "pwsh":
		return PowerShell, nil
	}
	return "", fmt.Errorf("unknown shell %q: want %s, %s or %s", name, Sh, Fish, PowerShell)
}

// Detect guesses the shell that a program was started from on the system goos.
// PowerShell tells its children of its modules; else it is the person's login
// shell, as no other tells which one it is.
func Detect(goos string, getenv func(string) string) Shell {
	if goos == "windows" && getenv("SHELL") == "" || goos != "windows" && getenv("PSModulePath") != "" {
		return PowerShell
	}
	name := path.Base(strings.ReplaceAll(getenv("SHELL"), `\`, "/"))
	if s, err := Parse(name); err == nil {
		return s
	}
	return Sh // what the others mostly understand
}

// Export is the line, without its end, that sets the variable name to value in
// the shell and in what it runs. name must be a plain name of a variable. A
// value with a NUL, which no variable can have, or with a line break, which a
// line cannot have, is an error.
func (s Shell) Export(name, value string) (string, error) {
	if strings.ContainsAny(value, "\x00\n\r") {
		return "", errors.New("a value of " + name + " with a line break or a NUL fits on no line")
	}
	switch s {
	case Fish:
		return "set -gx " + name + " " + quoteFish(value) + ";", nil
	case PowerShell:
		return "$env:" + name + " = " + quotePowerShell(value), nil
	}
	return "export " + name + "=" + quoteSh(value), nil
}

// Unset is the line, without its end, that takes the variable name back.
func (s Shell) Unset(name string) string {
	switch s {
	case Fish:
		return "set -e " + name + ";"
	case PowerShell:
		return "Remove-Item -ErrorAction SilentlyContinue Env:" + name
	}
	return "unset " + name
}

// quoteSh quotes by POSIX 2.2.2: between single quotes only the single quote
// means anything.
func quoteSh(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// quoteFish quotes as fish has it: between single quotes, a backslash stands
// before a single quote and before a backslash.
func quoteFish(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// quotePowerShell quotes by about_Quoting_Rules: between single quotes only the
// single quote means anything, and stands for itself when doubled. The typographic
// ones count as single quotes too.
func quotePowerShell(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range s {
		if strings.ContainsRune("'\u2018\u2019\u201a\u201b", r) {
			b.WriteRune(r)
		}
		b.WriteRune(r)
	}
	b.WriteByte('\'')
	return b.String()
}
