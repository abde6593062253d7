// Command measure runs commands in turns and prints what each took, one line of
// JSON per command. It is a program of its own because the peak memory that the
// kernel reports of a child is never less than that of its parent.
//
// Usage:
//
//	measure ROUNDS COMMAND...
//
// The words of a command are separated by spaces.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Result is what the runs of one command were like.
type Result struct {
	Wall time.Duration // median, from before its start to after its end
	CPU  time.Duration // median
	Peak int64         // largest resident memory, bytes
}

func main() {
	rounds, err := strconv.Atoi(os.Args[1])
	commands := os.Args[2:]
	for range rounds {
		for i, command := range commands {
			if err == nil {
				err = run(i, strings.Fields(command))
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
	for i := range commands {
		line, _ := json.Marshal(Result{median(walls[i]), median(cpus[i]), peaks[i]})
		fmt.Println(string(line))
	}
}

// By command.
var (
	walls, cpus = map[int][]time.Duration{}, map[int][]time.Duration{}
	peaks       = map[int]int64{}
)

func run(i int, words []string) error {
	cmd := exec.Command(words[0], words[1:]...)
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", words[0], err)
	}
	walls[i] = append(walls[i], time.Since(began))
	cpus[i] = append(cpus[i], cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peaks[i] = max(peaks[i], usage.Maxrss<<10)
	}
	return nil
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
