// Command cobra runs an empty command of cobra, and links net/http and the TOML
// library beside.
package main

import (
	"net/http"
	"os"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"
)

func main() {
	if len(os.Args) > 1 {
		_, _ = http.Get(os.Args[1])
		_ = toml.Unmarshal(nil, nil)
	}
	_ = (&cobra.Command{Use: "x", Run: func(*cobra.Command, []string) {}}).Execute()
}
