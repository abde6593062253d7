package config

import (
	"net"
	"path/filepath"
	"strconv"
	"time"
)

// Window is RateLimitWindow as a duration; 0 for the built-in default.
func (s Serve) Window() time.Duration {
	d, _ := time.ParseDuration(s.RateLimitWindow) // checked by Load
	return d
}

// mistake finds the first value that cannot be meant, so that a slip shows at
// the file instead of at the socket. Whether the host may be listened on is the
// server's to decide.
func (s Serve) mistake() (key, problem string) {
	if problem := badAddress(s.Listen); problem != "" {
		return "listen", problem
	}
	switch window, err := time.ParseDuration(s.RateLimitWindow); {
	case s.RateLimitRead < 0:
		return "rate_limit_read", "must not be negative"
	case s.RateLimitMutation < 0:
		return "rate_limit_mutation", "must not be negative"
	case s.RateLimitWindow != "" && (err != nil || window <= 0):
		return "rate_limit_window", "must be a duration, like 1m or 30s"
	case s.AuditLog != "" && !filepath.IsAbs(s.AuditLog):
		return "audit_log", "must be an absolute path"
	}
	return "", ""
}

// badAddress holds an address to the form that net.Listen wants.
func badAddress(address string) string {
	if address == "" {
		return ""
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "must be host:port, like 127.0.0.1:4170"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "port must be a number from 0 to 65535"
	}
	return ""
}
