package audit

import (
	"fmt"
	"strings"
)

// text is r as a breadcrumb without a line end. For logins the words and their
// order are those of `qwen serve`, so that what reads its logs reads ours.
func (r Record) text() string {
	var b strings.Builder
	if r.Action == ActionLogin {
		fmt.Fprintf(&b, "[serve] auth.device-flow: provider=%s deviceFlowId=%s clientId=%s status=%s",
			word(r.Key), short(r.LoginID), word(r.ClientID), word(r.Status))
	} else {
		fmt.Fprintf(&b, "[serve] auth.%s: provider=%s clientId=%s status=%s",
			word(r.Action), word(r.Key), word(r.ClientID), word(r.Status))
	}
	if r.Generation != 0 {
		fmt.Fprintf(&b, " generation=%d", r.Generation)
	}
	if r.ErrorKind != "" {
		b.WriteString(" errorKind=" + word(r.ErrorKind))
	}
	if r.ExpiresIn != 0 {
		fmt.Fprintf(&b, " expiresInMs=%d", max(0, r.ExpiresIn.Milliseconds()))
	}
	if r.Hint != "" {
		b.WriteString(" hint=" + string(marshal(r.Hint)))
	}
	return b.String()
}

// word is s as a value that cannot be taken for two: as it is if it is made of
// plain characters, quoted otherwise, "-" if it is empty.
func word(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._:/@+-", r)
	}
	switch {
	case s == "":
		return "-"
	case strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }):
		return string(marshal(s))
	default:
		return s
	}
}

// short is the beginning of a login's id: enough to find it, too little to
// address it.
func short(id string) string {
	if runes := []rune(id); len(runes) > 8 {
		return word(string(runes[:8])) + "..."
	}
	return word(id)
}
