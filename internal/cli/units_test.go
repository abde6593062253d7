//go:build unix

package cli

import (
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// unitSettings are the settings that the units rely on, with the values that
// are known to be right; empty means that a test below looks at the value.
var unitSettings = map[string][]string{
	"Type": {"notify"}, "KillMode": {"mixed"}, "Restart": {"on-failure"}, "RestartPreventExitStatus": {"2"},
	"NoNewPrivileges": {"yes"}, "MemoryDenyWriteExecute": {"yes"}, "LockPersonality": {"yes"},
	"RestrictNamespaces": {"yes"}, "RestrictRealtime": {"yes"}, "RestrictSUIDSGID": {"yes"},
	"RestrictAddressFamilies": {"AF_INET AF_INET6 AF_UNIX AF_NETLINK"},
	"SystemCallArchitectures": {"native"}, "SystemCallFilter": {"@system-service", "~@privileged @resources"},
	"SystemCallErrorNumber": {"EPERM"}, "UMask": {"0077"}, "LimitCORE": {"0"},
	"Requires": {"usher.socket"}, "Also": {"usher.socket"}, "ExecReload": {"kill -HUP $MAINPID"},
}

// systemSettings are those of the system unit beside them.
var systemSettings = map[string][]string{
	"User": {"usher"}, "ProtectSystem": {"strict"}, "ProtectHome": {"yes"}, "PrivateTmp": {"yes"}, "PrivateDevices": {"yes"},
	"CapabilityBoundingSet": {""}, "StateDirectory": {"usher"}, "StateDirectoryMode": {"0700"},
	"LogsDirectory": {"usher"}, "LogsDirectoryMode": {"0700"},
	"Environment": {"USHER_HOME=/var/lib/usher USHER_CONFIG=/etc/usher/config.toml"},
}

func TestUnits(t *testing.T) {
	for kind, more := range map[string]map[string][]string{"user": nil, "system": systemSettings} {
		t.Run(kind, func(t *testing.T) {
			dir := filepath.Join("../../dist/systemd", kind)
			service := readUnit(t, filepath.Join(dir, "usher.service"))
			for _, settings := range []map[string][]string{unitSettings, more} {
				for name, want := range settings {
					if got := service[name]; !slices.Equal(got, want) {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
			}
			checkBounds(t, service)
			checkCommand(t, service["ExecStart"])

			socket := readUnit(t, filepath.Join(dir, "usher.socket"))
			places := socket["ListenStream"]
			if len(places) == 0 || places[0] != defaultListen {
				t.Errorf("ListenStream is %q, want %s first", places, defaultListen)
			}
			// A socket that root opened is not the user's to its clients.
			if local := len(places) > 1; local != (kind == "user") {
				t.Errorf("ListenStream is %q", places)
			}
			if kind == "user" && !slices.Equal(socket["SocketMode"], []string{"0600"}) {
				t.Errorf("SocketMode is %q", socket["SocketMode"])
			}
		})
	}
}

// checkBounds holds the unit's patience to what the daemon promises.
func checkBounds(t *testing.T, service map[string][]string) {
	t.Helper()
	seconds := func(name string) time.Duration {
		n, err := strconv.Atoi(strings.Join(service[name], ""))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return time.Duration(n) * time.Second
	}
	if stop := seconds("TimeoutStopSec"); stop < drainBound+10*time.Second {
		t.Errorf("TimeoutStopSec is %s, and stopping takes up to %s", stop, drainBound)
	}
	if watchdog := seconds("WatchdogSec"); watchdog < 10*time.Second {
		t.Errorf("WatchdogSec is %s, which a busy machine may take", watchdog)
	}
}

// checkCommand has the command line parsed by the program.
func checkCommand(t *testing.T, start []string) {
	t.Helper()
	if len(start) != 1 || !strings.HasPrefix(start[0], "usher serve") {
		t.Fatalf("ExecStart is %q", start)
	}
	a := &app{getenv: func(string) string { return "" }}
	cmd := a.serveCommand()
	cmd.SetOut(io.Discard)
	if err := cmd.ParseFlags(strings.Fields(start[0])[2:]); err != nil {
		t.Errorf("ExecStart: %v", err)
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name == "listen" || f.Name == "socket" {
			t.Errorf("ExecStart has --%s, and the sockets are handed in", f.Name)
		}
	})
}
