package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/sandbox"
)

// candidates are what an argument can be, the most likely one first. args are the
// arguments before it, and begun is what of it is there.
type candidates func(args []string, begun string) []cobra.Completion

// completeWith makes a function for cobra of from. Files of the working folder are
// only completed where from has nothing and files are wanted.
func (a *app) completeWith(from candidates, files bool) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := a.args[:len(a.args)-1]
		if i := slices.Index(before, "--"); i >= 0 { // the command of somebody else, for exec
			return a.programs(before[i+1:], begun), cobra.ShellCompDirectiveDefault
		}
		all := from(args, begun)
		if files && all == nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		var fitting []cobra.Completion
		for _, c := range all {
			if strings.HasPrefix(c, begun) {
				fitting = append(fitting, c)
			}
		}
		return fitting, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// addCompletions tells the commands below root what their arguments and flags
// can be. It reads nothing yet.
func (a *app) addCompletions(root *cobra.Command) {
	args, flags := a.argumentCandidates(), a.flagCandidates()
	each(root, func(cmd *cobra.Command) {
		path := strings.TrimPrefix(cmd.CommandPath(), "usher ")
		if cmd.ValidArgsFunction == nil {
			cmd.ValidArgsFunction = a.completeWith(orNothing(args[path]), false)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.NoOptDefVal != "" {
				return // such as a bool
			}
			from := flags[path+" --"+f.Name]
			if from == nil {
				from = flags["--"+f.Name]
			}
			files := from == nil && takesFile("--"+f.Name)
			_ = cmd.RegisterFlagCompletionFunc(f.Name, a.completeWith(orNothing(from), files)) // fails for no flag that is there
		})
	})
}

// orNothing is from, or the candidates of what nobody can guess.
func orNothing(from candidates) candidates {
	if from == nil {
		return words()
	}
	return from
}

// each calls do with cmd and all commands below it.
func each(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, sub := range cmd.Commands() {
		each(sub, do)
	}
}

// takesFile reports whether a flag names a file or folder, which the shell
// completes.
func takesFile(flag string) bool {
	return slices.Contains([]string{
		"--client-secret-file", "--token-file", "--audit-log", "--socket", "--workspace", "--faults", "--clients", "--file",
	}, flag)
}

// argumentCandidates are what the arguments of commands can be, by the path of
// the command.
func (a *app) argumentCandidates() map[string]candidates {
	key := first(a.keysInUse)
	login := first(a.pendingLogins)
	provider := first(a.providers)
	return map[string]candidates{
		"login":           first(a.keysToLogIn),
		"login wait":      login,
		"login cancel":    login,
		"login complete":  login,
		"token":           key,
		"exec":            a.otherKeys,
		"env":             a.otherKeys,
		"status":          key,
		"logout":          key,
		"helper git":      key,
		"helper kubectl":  key,
		"provider show":   provider,
		"provider remove": provider,
		"provider add":    provider,
		"setup git":       key,
		"setup docker":    key,
		"setup kubectl":   key,
		"setup qwen":      key,
		"completion":      first(words("bash", "zsh", "fish", "powershell")),
	}
}

// flagCandidates are what the values of flags can be, by the name of the flag, and
// of its command where the same name means something else in another one.
func (a *app) flagCandidates() map[string]candidates {
	return map[string]candidates{
		"--account":   a.accounts,
		"--key":       a.keysInUse,
		"--env":       a.assignedKeys,
		"exec --fd":   a.assignedKeys,
		"exec --file": a.assignedKeys,
		"--flow":      words("auto\tdevice where the provider has it", "device\tapprove with a code on any device", "code\tlog in in a browser, which comes back"),
		"--qr":        words("auto\twhere it fits", "always", "never"),
		"--format":    words("token", "header\tAuthorization: Bearer TOKEN", "json", "exec-credential\tfor kubectl"),
		"--shell":     words("sh", "fish", "powershell"),
		"--expect":    words("active\tyields tokens now", "valid:10m\tand for that long"),
		"--type": func([]string, string) []cobra.Completion {
			return append([]string{"login", "credential"}, eventTypes()...)
		},
		"--since":      words("all\twhat the daemon still has"),
		"--auth-style": words(string(oauth.AuthNone), string(oauth.AuthPost), string(oauth.AuthBasic)),
		"--dialect":    words(string(oauth.DialectStandard), string(oauth.DialectQwen), string(oauth.DialectGitHub)),
		"--approve":    words(string(sandbox.ApproveManual), string(sandbox.ApproveAuto), string(sandbox.ApproveDeny)),
		"--rotation":   words(string(sandbox.RotationStrict), string(sandbox.RotationGrace), string(sandbox.RotationNone)),
	}
}

// words are candidates that are always the same.
func words(w ...cobra.Completion) candidates {
	return func([]string, string) []cobra.Completion { return w }
}

// first offers from for the first argument, and nothing for further ones.
func first(from candidates) candidates {
	return func(args []string, begun string) []cobra.Completion {
		if len(args) > 0 {
			return nil
		}
		return from(args, begun)
	}
}

// helpTopics are the commands below the one that its arguments name, and the texts
// that are no command's.
func helpTopics(root *cobra.Command) candidates {
	return func(args []string, _ string) (topics []cobra.Completion) {
		of, rest, err := root.Find(args)
		if err != nil || len(rest) > 0 {
			return nil
		}
		for _, sub := range of.Commands() {
			if !sub.Hidden {
				topics = append(topics, cobra.CompletionWithDesc(sub.Name(), sub.Short))
			}
		}
		return topics
	}
}
