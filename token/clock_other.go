//go:build !linux && !darwin && !windows

package token

import "time"

func sinceBoot() (time.Duration, bool) { return 0, false }

func bootID() string { return "" }
