package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// reserved are variables that programs and the loader obey, so that a token or
// an address in one of them would do harm. A * stands for any ending.
const reserved = "PATH HOME USER LOGNAME SHELL PWD OLDPWD TERM TMPDIR TMP TEMP LANG LC_* XDG_* " +
	"IFS ENV BASH_* SHELLOPTS PS1 PS4 PROMPT_COMMAND ZDOTDIR LD_* DYLD_* GCONV_PATH GLIBC_TUNABLES MALLOC_* " +
	"NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED NPM_CONFIG_* " +
	"PYTHON* PERL5* PERLLIB RUBYOPT RUBYLIB LUA_* GOFLAGS MAKEFLAGS DOTNET_STARTUP_HOOKS JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS " +
	"GIT_SSH* GIT_ASKPASS GIT_CONFIG* GIT_DIR GIT_EDITOR GIT_EXEC_PATH GIT_EXTERNAL_DIFF GIT_PAGER GIT_PROXY_COMMAND " +
	"GIT_TEMPLATE_DIR GIT_TRACE* GIT_WORK_TREE SSH_ASKPASS SSH_AUTH_SOCK EDITOR VISUAL PAGER LESSOPEN LESSCLOSE BROWSER " +
	"HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY SSL_CERT_* OPENSSL_CONF " +
	"PATHEXT COMSPEC SYSTEMROOT WINDIR USERPROFILE APPDATA LOCALAPPDATA PSMODULEPATH USHER_* QWEN_SERVER_TOKEN"

// CheckVariable reports why name cannot be the variable that carries a token or
// the address of an API: it is no name that every shell takes, or other
// programs obey what such a variable says.
func CheckVariable(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	if name == "" || len(name) > 128 || !strings.Contains(letters, name[:1]) || strings.Trim(name, letters+"0123456789") != "" {
		return fmt.Errorf("%q is no name of a variable: want letters, digits and _, and no digit first", name)
	}
	upper := strings.ToUpper(name) // Windows knows no case, and nor do proxies
	for of := range strings.FieldsSeq(reserved) {
		prefix, any := strings.CutSuffix(of, "*")
		if upper == of || any && strings.HasPrefix(upper, prefix) {
			return fmt.Errorf("%s means something to other programs; choose another variable", name)
		}
	}
	return nil
}

// checkVariables holds each of names to [CheckVariable].
func checkVariables(names []string) error {
	for i, name := range names {
		if err := CheckVariable(name); err != nil {
			return err
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("%s is there twice", name)
		}
	}
	return nil
}

// checkBaseURLEnv holds each of names to [CheckVariable]; what carries the token
// cannot carry the address.
func (s Settings) checkBaseURLEnv() error {
	for _, name := range s.BaseURLEnv {
		if slices.Contains(s.TokenEnv, name) {
			return errors.New(name + " is in token_env already")
		}
	}
	return checkVariables(s.BaseURLEnv)
}

// defaultTokenEnv is the variable of a provider that names none: NAME_TOKEN.
func defaultTokenEnv(name string) string {
	variable := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name)) + "_TOKEN"
	if CheckVariable(variable) != nil {
		return "OAUTH_" + variable // of a provider such as 3scale or usher
	}
	return variable
}
