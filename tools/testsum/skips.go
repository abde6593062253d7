package main

import (
	"fmt"
	"os"
	"strings"
)

// A skipList maps a test that may be skipped to the reason.
type skipList map[testID]string

// loadSkips reads the list of allowed skips: `import/path TestName reason` a
// line, blank lines and lines starting with # apart. The reason is required.
// An empty name means an empty list.
func loadSkips(name string) (skipList, error) {
	if name == "" {
		return nil, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading allowed skips: %w", err)
	}
	list := skipList{}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 3 {
			return nil, fmt.Errorf("%s:%d: want package, test and reason, got %q", name, i+1, line)
		}
		list[testID{f[0], f[1]}] = strings.Join(f[2:], " ")
	}
	return list, nil
}
