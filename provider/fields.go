package provider

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/oauth"
)

// Source says where a value comes from.
type Source string

const (
	// FromPreset: from what the program brings.
	FromPreset Source = "preset"
	// FromFile: from the user's file.
	FromFile Source = "file"
	// FromDefault: from nowhere; it is what stands if nobody says otherwise.
	FromDefault Source = "default"
)

// Field is one setting of a provider, for showing.
type Field struct {
	// Key is that of [Settings].
	Key string
	// Value is the setting as text; elements of a list are separated by spaces.
	Value string
	// Source says who set it.
	Source Source
}

// Fields returns the settings of p that have a value, in the order of
// [Settings], each with its source. There is no secret among them: of a client
// secret there is only the path.
func (p Provider) Fields() []Field {
	var fields []Field
	for _, f := range []Field{
		{Key: "base", Value: p.shownBase(), Source: FromFile},
		{Key: "title", Value: p.Title},
		{Key: "note", Value: p.Note},
		{Key: "issuer", Value: p.Issuer},
		{Key: "device_authorization_endpoint", Value: p.Endpoints.DeviceAuthorization},
		{Key: "authorization_endpoint", Value: p.Endpoints.Authorization},
		{Key: "token_endpoint", Value: p.Endpoints.Token},
		{Key: "revocation_endpoint", Value: p.Endpoints.Revocation},
		{Key: "userinfo_endpoint", Value: p.Endpoints.Userinfo},
		{Key: "client_id", Value: p.ClientID},
		{Key: "client_id_help", Value: p.ClientIDHelp},
		{Key: "client_secret_file", Value: p.ClientSecretFile},
		p.shownAuthStyle(),
		{Key: "redirect_uris", Value: strings.Join(p.RedirectURIs, " ")},
		{Key: "scopes", Value: strings.Join(p.Scopes, " ")},
		p.shownDialect(),
		{Key: "resource", Value: p.Resource},
		{Key: "poll_interval", Value: seconds(p.PollInterval)},
		{Key: "keep_alive", Value: spanText(p.KeepAlive)},
		p.shownShareWith(),
		{Key: "tell_context", Value: yes(p.TellContext)},
		{Key: "base_url", Value: p.BaseURL},
		{Key: "base_url_rule", Value: string(p.BaseURLRule)},
		p.shownTokenEnv(),
		{Key: "base_url_env", Value: strings.Join(p.BaseURLEnv, " ")},
		{Key: "git_hosts", Value: strings.Join(p.GitHosts, " ")},
		{Key: "git_username", Value: p.GitUsername},
		{Key: "docker_hosts", Value: strings.Join(p.DockerHosts, " ")},
		{Key: "docker_username", Value: p.DockerUsername},
	} {
		if f.Value == "" {
			continue
		}
		if f.Source == "" {
			f.Source = p.source(f.Key)
		}
		fields = append(fields, f)
	}
	return fields
}

// source is who set the key, if anybody did.
func (p Provider) source(key string) Source {
	switch {
	case key == "title" && p.Title == p.Name:
		return FromDefault
	case p.Path == "":
		return FromPreset
	case p.Base == "" || slices.Contains(p.Overridden, key):
		return FromFile
	}
	return FromPreset
}

// shownBase leaves out the base that goes without saying.
func (p Provider) shownBase() string {
	if p.Base == p.Name {
		return ""
	}
	return p.Base
}

func (p Provider) shownAuthStyle() Field {
	f := Field{Key: "auth_style", Value: string(p.AuthStyle)}
	if f.Value == "" {
		f.Value, f.Source = string(p.authStyle(nil)), FromDefault
	}
	return f
}

func (p Provider) shownDialect() Field {
	f := Field{Key: "dialect", Value: string(p.Dialect)}
	if p.Dialect == oauth.DialectStandard && !slices.Contains(p.Overridden, f.Key) {
		f.Source = FromDefault
	}
	return f
}

// shownShareWith shows as well that a person turned sharing off.
func (p Provider) shownShareWith() Field {
	f := Field{Key: "share_with", Value: p.ShareWith}
	if f.Value == "" && slices.Contains(p.Overridden, f.Key) {
		f.Value = noTool
	}
	return f
}

func (p Provider) shownTokenEnv() Field {
	f := Field{Key: "token_env", Value: strings.Join(p.TokenEnv, " ")}
	if f.Value == defaultTokenEnv(p.Name) && !slices.Contains(p.Overridden, f.Key) {
		f.Source = FromDefault
	}
	return f
}

func yes(b bool) string {
	if b {
		return "true"
	}
	return ""
}

func seconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return strconv.Itoa(int(d / time.Second))
}
