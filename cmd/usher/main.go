// Command usher logs people in with OAuth on machines without a browser, and
// hands out access tokens that stay fresh. Run it without arguments to begin.
package main

import (
	"context"
	"os"

	"github.com/usherauth/usher/internal/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), cli.Arguments(os.Args), cli.Stdio{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv,
	}))
}
