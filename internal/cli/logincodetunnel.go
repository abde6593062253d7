package cli

import (
	"net/netip"
	"os/user"
	"strconv"
	"strings"

	"github.com/usherauth/usher/internal/safetext"
)

// tunnel is the command by which a person who came here over SSH lets the browser
// of their own machine come back to this one; empty where none is needed or
// known to work.
func (b *answerListener) tunnel() string {
	if b == nil || b.listener == nil {
		return ""
	}
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return sshTunnel(b.app.getenv("SSH_CONNECTION"), u.Username, b.listener.Host(), b.listener.Port())
}

// sshTunnel is the command for a connection, as the variable SSH_CONNECTION tells
// of it: the client's address and port, then the server's. host is the address
// of loopback that the browser asks for.
func sshTunnel(connection, user, host string, port int) string {
	f := strings.Fields(connection)
	if len(f) != 4 || !safetext.Word(user, "._-", 1, 64) || user[0] == '-' {
		return ""
	}
	server, err := netip.ParseAddr(f[2])
	if err != nil || server.Zone() != "" { // that names an interface of this machine
		return ""
	}
	at, err := strconv.ParseUint(f[3], 10, 16)
	if err != nil || at == 0 {
		return ""
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	own := strconv.Itoa(port)
	command := "ssh -N -L " + own + ":" + host + ":" + own
	if at != 22 {
		command += " -p " + f[3]
	}
	// The destination is one of the few places where SSH wants no brackets.
	return command + " " + user + "@" + server.Unmap().String()
}
