package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestOutletWritesEverythingInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got bytes.Buffer
		o := newOutlet(&got)
		var want strings.Builder
		for i := range 100 {
			fmt.Fprintf(o, "line %d\n", i)
			fmt.Fprintf(&want, "line %d\n", i)
		}
		if !o.close(time.Second) || got.String() != want.String() {
			t.Errorf("got %q", got.String())
		}
		if n, err := o.Write([]byte("late")); n != 4 || err != nil || !o.close(time.Second) {
			t.Errorf("after close: %d, %v", n, err)
		}
	})
}

// A reader that stops reading costs nobody time, and learns what it missed.
func TestOutletDoesNotWaitForItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		o := newOutlet(w)
		began := time.Now()
		var writers sync.WaitGroup
		for range 10 {
			writers.Go(func() {
				for range outletLines {
					_, _ = o.Write([]byte("x\n"))
				}
			})
		}
		writers.Wait()
		if o.close(time.Second) || time.Since(began) != time.Second {
			t.Errorf("closed after %v", time.Since(began))
		}
		go func() { <-o.ended; w.Close() }()
		got, err := io.ReadAll(r)
		if err != nil || !strings.Contains(string(got), "messages were dropped here") || strings.Count(string(got), "x\n") < outletLines {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	})
}
