// Package clean does what a daemon does and starts nothing.
package clean

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

// Serve serves until an interrupt.
func Serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	srv := &http.Server{Addr: "127.0.0.1:0"}
	context.AfterFunc(ctx, func() { srv.Close() })
	return srv.ListenAndServe()
}
