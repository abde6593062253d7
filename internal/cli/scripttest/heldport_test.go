//go:build unix

package scripttest

import (
	"fmt"
	"net/netip"
	"syscall"
)

// holdPort keeps the address of a server that is down from being given to
// another one: a script beside this one would get its refresh tokens. The
// socket is bound and does not listen, so connections to it are refused.
func holdPort(address string) (release func() error, err error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(fd)
	// What is left of the server's connections must not keep us out.
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()})
	}
	if err != nil {
		_ = syscall.Close(fd)
		return nil, fmt.Errorf("holding %s: %w", address, err)
	}
	return func() error { return syscall.Close(fd) }, nil
}
