package cli

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/internal/toolconf"
)

const setupQwenHelp = `Have qwen-code work with a token of usher.

usage: usher setup qwen [KEY] [flags]

qwen-code takes a token from the environment, where usher exec puts it, if its
settings say so. In ~/.qwen/settings.json, or $QWEN_HOME/settings.json, it sets

  {"security": {"auth": {"selectedType": "openai"}}}

which is for every server that speaks as OpenAI's does. KEY is qwen-oauth unless
it is given; its provider must say where its API is (base_url). Then run

  usher exec KEY -- qwen

qwen-code refuses its own login, qwen-oauth, since 0.15; this way does without.

  --undo       take it back
  --dry-run    say what would be written, and write nothing
  --file F     the file to write
  --json       print what was done as JSON

examples:
  usher setup qwen
  usher exec qwen-oauth -- qwen
`

func (a *app) setupQwenCommand() *cobra.Command {
	var o setupOptions
	return a.setupTool("qwen", setupQwenHelp, &o, planQwen)
}

func planQwen(_ context.Context, s *settingUp) error {
	if s.key == "" {
		s.key = "qwen-oauth"
	}
	p, err := s.of()
	if err != nil {
		return err
	}
	if p.BaseURL == "" {
		return usagef("where the API of %s is, is not known, and qwen has to be told", p.Name).
			WithHint("write base_url = \"https://api.example.com/v1\" into its file, which usher provider show %s names", p.Name)
	}
	path := s.file
	if path == "" {
		if path, err = s.qwenFile(); err != nil {
			return err
		}
	}
	run := "usher exec " + s.key
	if !slices.Contains(p.TokenEnv, "OPENAI_API_KEY") {
		run += " --env OPENAI_API_KEY=" + s.key
	}
	if run += " -- qwen"; !slices.Contains(p.BaseURLEnv, "OPENAI_BASE_URL") {
		run = "OPENAI_BASE_URL=" + p.BaseURL + " " + run
	}
	s.hints = append(s.hints, "to start it, run: "+run)
	return s.write(path, toolconf.Item{Name: "security.auth.selectedType", Args: []string{"openai"}, Key: s.key})
}

// qwenFile is where qwen-code has its settings.
func (s *settingUp) qwenFile() (string, error) {
	if dir := s.getenv("QWEN_HOME"); dir != "" {
		if rest, ok := strings.CutPrefix(dir, "~/"); ok {
			return s.homePath(rest, "settings.json")
		}
		return filepath.Abs(filepath.Join(dir, "settings.json"))
	}
	return s.homePath(".qwen", "settings.json")
}
