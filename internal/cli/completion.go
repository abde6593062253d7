package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

const completionHelp = `Print what makes a shell complete the commands of usher: their names and flags,
what you are logged in to, the providers, the logins that are pending. It reads
the data folder and asks nobody.

usage: usher completion SHELL

SHELL is bash, zsh, fish or powershell. For this shell alone, or in its start-up
file for all:

  bash         source <(usher completion bash)
  zsh          source <(usher completion zsh)
  fish         usher completion fish | source
  powershell   usher completion powershell | Out-String | Invoke-Expression

zsh needs in its start-up file, before that: autoload -U compinit; compinit

For all users of a machine:
  usher completion bash >/usr/share/bash-completion/completions/usher
  usher completion zsh >/usr/share/zsh/vendor-completions/_usher
  usher completion fish >/usr/share/fish/vendor_completions.d/usher.fish
`

// completionCommand takes the place of the one that cobra has.
func (a *app) completionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "completion SHELL", Short: "complete commands in a shell", Long: completionHelp, Args: arguments("SHELL"),
	}
	a.command(cmd, func(_ context.Context, args []string) error {
		write, ok := completionShells(cmd.Root())[args[0]]
		if !ok {
			return usagef("there is no completion for %s: SHELL is bash, zsh, fish or powershell", show(args[0]))
		}
		return write(a.out)
	})
	return cmd
}

// completionShells are the shells, and what prints the completion of each.
func completionShells(root *cobra.Command) map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{
		"bash":       func(w io.Writer) error { return writeBash(root, w) },
		"zsh":        root.GenZshCompletion,
		"fish":       func(w io.Writer) error { return root.GenFishCompletion(w, true) },
		"powershell": root.GenPowerShellCompletionWithDesc,
	}
}

// bashWords takes the place of a function that cobra prints, which only works
// where the package bash-completion is installed. It puts what is typed into the
// variables cur, prev, words and cword of its caller.
const bashWords = `
__usher_init_completion()
{
    COMPREPLY=()
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    local line=${COMP_LINE:0:COMP_POINT}
    read -r -a words <<<"$line"
    if [[ $line == *[[:space:]] ]]; then
        words+=("")
    fi
    cword=$((${#words[@]} - 1))
    cur=${words[cword]}
    prev=${words[cword - 1]}
}
`

func writeBash(root *cobra.Command, w io.Writer) error {
	if err := root.GenBashCompletionV2(w, true); err != nil {
		return err
	}
	_, err := io.WriteString(w, bashWords)
	return err
}
