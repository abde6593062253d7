// Command spawner runs threads and, when told so, one program.
package main

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
)

func main() {
	// Goroutines that keep their threads make the runtime clone.
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { runtime.LockOSThread() })
	}
	wg.Wait()
	if len(os.Args) > 1 {
		if err := exec.Command(os.Args[1]).Run(); err != nil {
			os.Exit(1)
		}
	}
}
