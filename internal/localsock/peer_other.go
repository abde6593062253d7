//go:build !linux && !darwin

package localsock

import (
	"errors"
	"syscall"
)

const supported = false

func peerUID(int) (int, error) { return 0, errors.ErrUnsupported }

func restrictBeforeBind(string, string, syscall.RawConn) error { return nil }

func restrictAfterBind(string) error { return nil }

func isRefused(error) bool { return false }
