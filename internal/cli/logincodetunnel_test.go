package cli

import "testing"

func TestSSHTunnel(t *testing.T) {
	for name, tt := range map[string]struct{ connection, user, host, want string }{
		"IPv4":           {"192.0.2.7 51234 198.51.100.4 22", "ada", "127.0.0.1", "ssh -N -L 7070:127.0.0.1:7070 ada@198.51.100.4"},
		"another port":   {"192.0.2.7 51234 198.51.100.4 2222", "ada", "127.0.0.1", "ssh -N -L 7070:127.0.0.1:7070 -p 2222 ada@198.51.100.4"},
		"IPv6":           {"2001:db8::7 51234 2001:db8::4 22", "ada", "127.0.0.1", "ssh -N -L 7070:127.0.0.1:7070 ada@2001:db8::4"},
		"back to IPv6":   {"2001:db8::7 51234 2001:db8::4 22", "ada", "::1", "ssh -N -L 7070:[::1]:7070 ada@2001:db8::4"},
		"mapped IPv4":    {"::ffff:192.0.2.7 51234 ::ffff:198.51.100.4 22", "ada", "127.0.0.1", "ssh -N -L 7070:127.0.0.1:7070 ada@198.51.100.4"},
		"one link":       {"fe80::7%eth0 51234 fe80::4%eth0 22", "ada", "127.0.0.1", ""},
		"not over SSH":   {"", "ada", "127.0.0.1", ""},
		"no address":     {"192.0.2.7 51234 UNKNOWN 65535", "ada", "127.0.0.1", ""},
		"no port":        {"192.0.2.7 51234 198.51.100.4 0", "ada", "127.0.0.1", ""},
		"a hostile port": {"192.0.2.7 51234 198.51.100.4 22;id", "ada", "127.0.0.1", ""},
		"a hostile name": {"192.0.2.7 51234 198.51.100.4 22", "-oProxyCommand=id", "127.0.0.1", ""},
		"a strange name": {"192.0.2.7 51234 198.51.100.4 22", `CORP\ada`, "127.0.0.1", ""},
	} {
		if got := sshTunnel(tt.connection, tt.user, tt.host, 7070); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
