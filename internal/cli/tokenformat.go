package cli

import (
	"errors"
	"strings"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/credhelper"
)

// tokenFormat is how a token is printed; a flag.
type tokenFormat string

const (
	formatToken  tokenFormat = "token"
	formatHeader tokenFormat = "header"
	formatJSON   tokenFormat = "json"
	formatExec   tokenFormat = "exec-credential"
)

func (f *tokenFormat) Set(name string) error {
	switch *f = tokenFormat(name); *f {
	case formatToken, formatHeader, formatJSON, formatExec:
		return nil
	}
	return errors.New("must be token, header, json or exec-credential")
}

func (f *tokenFormat) String() string { return string(*f) }

func (f *tokenFormat) Type() string { return "format" }

// forPrograms reports whether it is a program that asks, so that nothing is
// offered to a person.
func (f tokenFormat) forPrograms() bool { return f == formatJSON || f == formatExec }

// printToken prints t as the result.
func (a *app) printToken(t api.Token, format tokenFormat) error {
	switch format {
	case formatHeader:
		return a.printf("Authorization: %s %s\n", scheme(t), t.AccessToken)
	case formatJSON:
		return a.printJSON(t)
	case formatExec:
		credential, err := credhelper.ExecCredential(credhelper.ExecV1, t)
		if err != nil {
			return api.Errorf(api.CodeInternal, "encoding the result: %w", err)
		}
		return a.printf("%s\n", credential)
	}
	return a.printf("%s\n", t.AccessToken)
}

// scheme is the authentication scheme that t is presented with. The token type
// is its name (RFC 6749 section 7.1), in any case; some servers take "Bearer" in
// this one alone (RFC 6750 section 2.1).
func scheme(t api.Token) string {
	if t.TokenType == "" || strings.EqualFold(t.TokenType, "bearer") {
		return "Bearer"
	}
	return t.TokenType
}
