package token

import (
	"strconv"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

func sinceBoot() (time.Duration, bool) { return windows.DurationSinceBoot(), true }

// bootID is the number of this boot, which Windows counts up in the registry.
func bootID() string {
	const path = `SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters`
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer func() { _ = key.Close() }()
	n, _, err := key.GetIntegerValue("BootId")
	if err != nil {
		return ""
	}
	return "windows-" + strconv.FormatUint(n, 10)
}
