package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/usherauth/usher/api"
)

// TestQuickTokenIsTheToken: whatever chooses the account, the short way gives
// what the command gives, or leaves it to the command.
func TestQuickTokenIsTheToken(t *testing.T) {
	i := install(t)
	i.sandbox(auto)
	for _, account := range []string{"here", "here/work", "here/home"} {
		i.must("login", account)
	}
	quick, whole := 0, 0
	for _, config := range []string{
		"", "[serve]\nlisten = '127.0.0.1:0'\n", "[accounts]\n", "[accounts]\n'/' = ['here/work']\n", "[accounts]\n'/nowhere' = ['here/work']\n",
		"[accounts]\n'/' = ['other/work']\n", "[accounts]\n'/' = ['here/missing']\n", "['account\\", "[\"acc\\u006funts\"]\n'/' = ['here/work']\n",
	} {
		i.configure(config)
		for _, all := range []string{"", "work", "Bad Name"} {
			for _, one := range []string{"", "home", "default"} {
				i.env["USHER_ACCOUNT"], i.env["USHER_ACCOUNT_HERE"] = all, one
				for _, key := range []string{"here", "here/work", "here/default", "here/missing", "other", "Bad", "here/"} {
					token, done := i.quickToken(key)
					r := i.run("token", key, "--no-prompt")
					if done && (r.code != 0 || r.out != token) {
						t.Errorf("config %q, USHER_ACCOUNT %q, USHER_ACCOUNT_HERE %q, key %q: %q, and the command exits %d with %q, %s",
							config, all, one, key, token, r.code, r.out, r.err)
					}
					if r.code == 0 {
						whole++
					}
					if done {
						quick++
					}
				}
			}
		}
	}
	if quick < whole/2 || whole == 0 {
		t.Errorf("the short way served %d of %d", quick, whole)
	}
}

// configure writes config.toml, or removes it.
func (i *installation) configure(text string) {
	i.t.Helper()
	err := os.Remove(i.env["USHER_CONFIG"])
	if text != "" {
		err = os.WriteFile(i.env["USHER_CONFIG"], []byte(text), 0o600)
	}
	if err != nil && !os.IsNotExist(err) {
		i.t.Fatal(err)
	}
}

func (i *installation) quickToken(key string) (token string, done bool) {
	var out bytes.Buffer
	done = quickToken([]string{"token", key}, Stdio{
		In: strings.NewReader(""), Out: &out, Err: &out, Getenv: func(name string) string { return i.env[name] },
	})
	return out.String(), done
}

// TestEveryCommandChoosesTheAccount: all that take a KEY mean the same by it.
func TestEveryCommandChoosesTheAccount(t *testing.T) {
	i := install(t)
	i.sandbox(auto)
	i.must("login", "here/work")
	i.configure("[accounts]\n'/' = ['here/work']\n")
	for _, args := range [][]string{
		{"token", "here"}, {"status", "here"}, {"env", "here"}, {"helper", "kubectl", "here"},
	} {
		if r := i.run(args...); r.code != 0 {
			t.Errorf("%v: exit %d, %s", args, r.code, r.err)
		}
		args = append(args[:len(args)-1], "here/default")
		if r := i.run(args...); r.code != api.ExitLoginNeeded || !strings.Contains(r.err, "usher login here\n") {
			t.Errorf("%v: exit %d, %s", args, r.code, r.err)
		}
	}
	if out := i.must("login", "here", "--json"); !strings.Contains(out, `"key":"here/work"`) {
		t.Errorf("login: %s", out)
	}
	if out := i.must("logout", "here", "--json"); !strings.Contains(out, `"key":"here/work"`) {
		t.Errorf("logout: %s", out)
	}
}
