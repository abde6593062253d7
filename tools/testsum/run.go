package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// goTest runs the tests of the module in dir and feeds their events to t. The
// exit code of go test decides nothing that the events do not already say,
// except when it fails without any failure among them.
func goTest(t *tally, dir string, goArgs []string) error {
	// The cache of go test knows nothing of the files of another module and of
	// programs that a test builds, so that it would pass stale results on.
	args := append([]string{"test", "-race", "-json", "-count=1"}, goArgs...)
	cmd := exec.Command("go", append(args, "./...")...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	before := t.failed
	readErr := readEvents(out, t)
	// Wait must not close the pipe under a reader that gave up early.
	io.Copy(io.Discard, out)
	waitErr := cmd.Wait()
	if stderr.Len() > 0 {
		os.Stderr.Write(stderr.Bytes())
	}
	if readErr != nil {
		return readErr
	}
	if _, ok := errors.AsType[*exec.ExitError](waitErr); ok && t.failed > before {
		return nil
	}
	return waitErr
}

// readEvents decodes a stream of test2json events. A line that is no event is
// an error: what is not understood must not count as a success.
func readEvents(r io.Reader, t *tally) error {
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var e event
			if err := json.Unmarshal(line, &e); err != nil {
				return fmt.Errorf("reading test events: %q: %w", line, err)
			}
			t.add(e)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading test events: %w", err)
		}
	}
}
