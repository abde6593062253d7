package share

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/secret"
)

// The files of qwen-code, in its folder.
const (
	fileName = "oauth_creds.json"
	lockName = "oauth_creds.lock"
)

// qwenFolder is where qwen-code keeps its files.
func qwenFolder(getenv func(string) string) (string, error) {
	variable := "HOME"
	if runtime.GOOS == "windows" {
		variable = "USERPROFILE"
	}
	home, folder := getenv(variable), getenv("QWEN_HOME")
	if folder == "" {
		folder = "~/.qwen"
	}
	if rest, ok := strings.CutPrefix(folder, "~"); ok && (rest == "" || rest[0] == '/' || rest[0] == '\\') {
		if home == "" {
			return "", fmt.Errorf("cannot find the folder of qwen-code: set %s or QWEN_HOME", variable)
		}
		folder = filepath.Join(home, strings.ReplaceAll(rest, `\`, "/"))
	}
	return filepath.Abs(folder)
}

// The file of qwen-code is one JSON object. The tool takes it for missing
// unless the first three members are non-empty strings and expiry_date,
// milliseconds since 1970, is a number but not 0.
const (
	memberAccessToken  = "access_token"
	memberRefreshToken = "refresh_token"
	memberTokenType    = "token_type"
	memberExpiryDate   = "expiry_date"
	memberResourceURL  = "resource_url"
)

// foreverLifetime is what the file says of an access token whose end is not
// known, counted from its receipt; also the most that is believed of a file.
const foreverLifetime = 10 * 365 * 24 * time.Hour

// members are the members of the file as they stand there.
type members map[string]json.RawMessage

// readQwen reads the file at path. With ErrInvalid the contents are those of
// [parseQwen].
func readQwen(path string) (Contents, members, error) {
	data, err := atomicfile.Read(path, maxFile)
	if errors.Is(err, atomicfile.ErrTooLarge) {
		return Contents{}, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err != nil {
		return Contents{}, nil, err
	}
	c, all, err := parseQwen(data)
	if err != nil {
		err = fmt.Errorf("reading %s: %w", path, err)
	}
	return c, all, err
}

// parseQwen reads the file as the tool does. Errors never quote it.
//
// The tool spoils its own file when an answer has no expires_in: expiry_date
// becomes null, but the refresh token is the newest there is. Its contents are
// returned beside ErrInvalid then, without an ExpiresAt; no others are.
func parseQwen(data []byte) (Contents, members, error) {
	var all members
	if err := json.Unmarshal(data, &all); err != nil || all == nil {
		return Contents{}, nil, fmt.Errorf("%w: no JSON object", ErrInvalid)
	}
	for _, name := range []string{memberAccessToken, memberRefreshToken, memberTokenType} {
		if all.text(name) == "" {
			return Contents{}, all, fmt.Errorf("%w: no %s", ErrInvalid, name)
		}
	}
	if !fitsHeader(all.text(memberAccessToken)) {
		return Contents{}, all, fmt.Errorf("%w: %s holds characters that a header cannot hold", ErrInvalid, memberAccessToken)
	}
	c := Contents{
		AccessToken:  secret.New(all.text(memberAccessToken)),
		RefreshToken: secret.New(all.text(memberRefreshToken)),
		TokenType:    "Bearer", // what the tool sends, whatever stands there
	}
	if resource := all.text(memberResourceURL); fitsHeader(resource) {
		c.ResourceURL = resource
	}
	at, ok := all.expiry()
	if !ok {
		return c, all, fmt.Errorf("%w: no %s", ErrInvalid, memberExpiryDate)
	}
	c.ExpiresAt = at
	return c, all, nil
}

// text is a member that is a string; else "".
func (m members) text(name string) string {
	var s string
	if json.Unmarshal(m[name], &s) != nil {
		return ""
	}
	return s
}

// fitsHeader reports whether s is visible ASCII without spaces.
func fitsHeader(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// expiry is expiry_date. JavaScript reads a number that is too large as
// infinite, and so as good.
func (m members) expiry() (time.Time, bool) {
	var number json.Number
	if raw := bytes.TrimSpace(m[memberExpiryDate]); len(raw) == 0 || raw[0] == '"' || json.Unmarshal(raw, &number) != nil {
		return time.Time{}, false
	}
	ms, err := strconv.ParseFloat(number.String(), 64)
	if (err != nil && !errors.Is(err, strconv.ErrRange)) || ms == 0 {
		return time.Time{}, false
	}
	// The years in which a time can be written down.
	const most = 253_402_300_799_000
	return time.UnixMilli(int64(math.Max(1, math.Min(ms, most)))).UTC(), true
}

// encodeQwen is the file for c, with what else stood in it.
func encodeQwen(c credential.Credential, was members) ([]byte, error) {
	if c.AccessToken.IsZero() || c.RefreshToken.IsZero() {
		return nil, errors.New("the tool accepts no credential without an access token and a refresh token")
	}
	tokenType, resource := c.TokenType, c.ResourceURL
	if tokenType == "" {
		tokenType = "Bearer"
	}
	if resource == "" { // the tool would call an API that refuses the token
		resource = was.text(memberResourceURL)
	}
	end := c.ExpiresAt()
	if end.IsZero() {
		end = c.Received.Wall.Add(foreverLifetime)
	}
	all := make(map[string]any, len(was)+5)
	for name, value := range was {
		all[name] = value
	}
	all[memberAccessToken] = c.AccessToken.Reveal()
	all[memberRefreshToken] = c.RefreshToken.Reveal()
	all[memberTokenType] = tokenType
	all[memberResourceURL] = resource
	all[memberExpiryDate] = max(end.UnixMilli(), 1)
	return json.MarshalIndent(all, "", "  ")
}
