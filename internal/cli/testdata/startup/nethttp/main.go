// Command nethttp does nothing and links net/http.
package main

import (
	"net/http"
	"os"
)

func main() {
	if len(os.Args) > 1 {
		_, _ = http.Get(os.Args[1])
	}
}
