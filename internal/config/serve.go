package config

import (
	"errors"
	"net"
	"strconv"
)

// check holds Listen to the form that net.Listen will want, so that a slip
// shows at the file instead of at the socket. Whether the host may be listened
// on is the server's to decide.
func (s Serve) check() error {
	if s.Listen == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return errors.New("must be host:port, like 127.0.0.1:4170")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return errors.New("port must be a number from 0 to 65535")
	}
	return nil
}
