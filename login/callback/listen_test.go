package callback_test

import (
	"errors"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/usherauth/usher/login/callback"
)

func listen(t *testing.T, c callback.Config) *callback.Listener {
	t.Helper()
	l, err := callback.Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// RFC 8252 section 7.3: the literal addresses, a port that is free, and no longer than the
// login.
func TestRFC8252_26_ListensOnLoopbackAlone(t *testing.T) {
	l := listen(t, callback.Config{Provider: "acme"})
	port := strconv.Itoa(l.Port())
	if got, want := l.RedirectURI(), "http://127.0.0.1:"+port+"/callback/acme"; got != want {
		t.Errorf("redirect URI %s, want %s", got, want)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		c.Close()
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		ip := a.(*net.IPNet).IP
		if ip.IsLoopback() || ip.IsLinkLocalUnicast() {
			continue
		}
		if c, err := net.Dial("tcp", net.JoinHostPort(ip.String(), port)); err == nil {
			c.Close()
			t.Errorf("reached at %s", ip)
		}
	}
	l.Close()
	if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		c.Close()
		t.Error("reached when it is closed")
	}
}

// A port that is taken on one of the two addresses is taken.
func TestBusyPort(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		other, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		port := other.Addr().(*net.TCPAddr).Port
		_, err = callback.Listen(callback.Config{Provider: "acme", Port: port})
		busy, ok := errors.AsType[*callback.PortError](err)
		if !ok || busy.Port != port || !strings.Contains(err.Error(), strconv.Itoa(port)) {
			t.Errorf("%s: %v, want a PortError that names %d", host, err, port)
		}
	}
}

func TestRejoin(t *testing.T) {
	first := listen(t, callback.Config{Provider: "acme"})
	if _, err := callback.Rejoin(first.RedirectURI()); err == nil {
		t.Fatal("two listen at the same place")
	}
	first.Close()
	second, err := callback.Rejoin(first.RedirectURI())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if second.RedirectURI() != first.RedirectURI() {
		t.Errorf("redirect URI %s, want %s", second.RedirectURI(), first.RedirectURI())
	}
	for _, elsewhere := range []string{"", "http://127.0.0.1/cb", "https://app.example/cb"} {
		if _, err := callback.Rejoin(elsewhere); !errors.Is(err, callback.ErrNotLoopback) {
			t.Errorf("%q: %v", elsewhere, err)
		}
	}
}

func TestSocketsAreHandedOver(t *testing.T) {
	first := listen(t, callback.Config{Provider: "acme"})
	files, err := first.Files()
	if runtime.GOOS == "windows" {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v, want that it cannot be done", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := callback.FromFiles(duplicates(t, files), "http://127.0.0.1:1/callback/acme"); err == nil {
		t.Error("took over sockets of another redirect URI")
	}
	second, err := callback.FromFiles(files, first.RedirectURI())
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	// Whoever comes in between is not turned away.
	answered := make(chan int, 1)
	go func() {
		response, err := http.Get(first.RedirectURI() + "?code=c&state=s")
		if err != nil {
			t.Error(err)
			close(answered)
			return
		}
		response.Body.Close()
		answered <- response.StatusCode
	}()
	serve(t, second, always(callback.LoggedIn))
	if status := <-answered; status != 200 {
		t.Errorf("answered %d", status)
	}
}

// duplicates are further descriptors of the same sockets.
func duplicates(t *testing.T, files []*os.File) []*os.File {
	t.Helper()
	var out []*os.File
	for _, f := range files {
		l, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		d, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		out = append(out, d)
	}
	return out
}
