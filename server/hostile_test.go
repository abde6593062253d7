package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/server"
)

// bubble serves c on a network of the process while test runs, with time that
// takes no time. dial connects to it.
func bubble(t *testing.T, c server.Config, test func(t *testing.T, dial func() net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := memhttp.NewNetwork()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		s := newServer(t, c)
		go func() { done <- s.Serve(ctx, server.Listener{Listener: network}) }()
		var open []net.Conn
		defer func() {
			cancel()
			for _, conn := range open {
				conn.Close()
			}
			if err := <-done; err != nil {
				t.Errorf("Serve = %v", err)
			}
		}()
		test(t, func() net.Conn {
			conn, err := network.DialContext(ctx, "", "")
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, conn)
			return conn
		})
	})
}

// T17: whoever announces a body and never sends it holds a connection, so that
// 256 of them would shut everybody else out. Without a token nobody may, and
// with one not for long.
func TestT17_BodiesThatNeverComeHoldNoConnection(t *testing.T) {
	const head = "Host: 127.0.0.1:80\r\nContent-Type: application/json\r\n"
	const token = "Authorization: Bearer " + bearer + "\r\n"
	for _, test := range []struct {
		name, request string
		status        int
		answered      time.Duration // the latest
	}{
		{"no token", "POST /v1/token HTTP/1.1\r\n" + head + "Content-Length: 10\r\n\r\n", 401, 0},
		{"chunks", "POST /v1/token HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked\r\n\r\n5\r\nab", 401, 0},
		{"foreign host", "POST /v1/token HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 10\r\n\r\n", 403, 0},
		{"health", "GET /health HTTP/1.1\r\n" + head + "Content-Length: 10\r\n\r\n", 200, 0},
		{"no body is asked for", "GET /v1/providers HTTP/1.1\r\n" + head + token + "Content-Length: 10\r\n\r\n", 200, 0},
		{"no such route", "POST /nope HTTP/1.1\r\n" + head + token + "Content-Length: 10\r\n\r\n", 404, 0},
		{"wrong type", "POST /v1/token HTTP/1.1\r\nHost: 127.0.0.1:80\r\n" + token + "Content-Length: 10\r\n\r\n", 415, 0},
		{"half a body", "POST /v1/token HTTP/1.1\r\n" + head + token + "Content-Length: 10\r\n\r\n{\"k", 400, 30 * time.Second},
		{"half a chunk", "POST /v1/token HTTP/1.1\r\n" + head + token + "Transfer-Encoding: chunked\r\n\r\n5\r\nab", 400, 30 * time.Second},
		{"too many chunks", "POST /v1/token HTTP/1.1\r\n" + head + token + "Transfer-Encoding: chunked\r\n\r\n20000\r\n" + strings.Repeat(" ", 65537), 413, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, server.Config{}, func(t *testing.T, dial func() net.Conn) {
				c := dial()
				began := time.Now()
				_ = c.SetDeadline(began.Add(10 * time.Minute))
				if _, err := io.WriteString(c, test.request); err != nil {
					t.Fatal(err)
				}
				r := bufio.NewReader(c)
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatalf("after %v: %v", time.Since(began), err)
				}
				if took := time.Since(began); resp.StatusCode != test.status || took > test.answered {
					t.Errorf("answered %d after %v, want %d within %v", resp.StatusCode, took, test.status, test.answered)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					t.Error(err)
				}
				answered := time.Now()
				if _, err := r.ReadByte(); err != io.EOF {
					t.Errorf("after the answer: %v, want the end of the connection", err)
				}
				if took := time.Since(answered); took > 2*time.Second {
					t.Errorf("the connection was held for %v after the answer", took)
				}
			})
		})
	}
}

// The deadlines of bodies must not cost well-behaved clients their connection,
// nor their answer if that takes a while.
func TestConnectionOutlivesItsRequests(t *testing.T) {
	fake := newFake()
	fake.token = func(ctx context.Context) (api.Token, error) {
		select {
		case <-ctx.Done():
			return api.Token{}, ctx.Err()
		case <-time.After(45 * time.Second): // a refresh at a slow provider
			return api.Token{AccessToken: "at-1"}, nil
		}
	}
	bubble(t, server.Config{Broker: fake}, func(t *testing.T, dial func() net.Conn) {
		c := dial()
		r := bufio.NewReader(c)
		for _, request := range []string{
			"POST /v1/token HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 16\r\n$H\r\n{\"key\":\"github\"}",
			"GET /v1/providers HTTP/1.1\r\n$H\r\n",
			"POST /v1/token HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n$H\r\n10\r\n{\"key\":\"github\"}\r\n0\r\n\r\n",
			"GET /health HTTP/1.1\r\n$H\r\n",
		} {
			request = strings.ReplaceAll(request, "$H", "Host: 127.0.0.1:80\r\nAuthorization: Bearer "+bearer+"\r\n")
			if _, err := io.WriteString(c, request); err != nil {
				t.Fatalf("%q: %v", request, err)
			}
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%q: %v", request, err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 || resp.Close {
				t.Errorf("%q: status %d, close %v, %v", request, resp.StatusCode, resp.Close, err)
			}
			time.Sleep(45 * time.Second)
		}
	})
}

// Extra handlers take as long over a body as they like.
func TestExtraHandlersBoundTheirBodiesThemselves(t *testing.T) {
	upload := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d %v", n, err)
	})
	bubble(t, server.Config{Extra: map[string]http.Handler{"/upload": upload}}, func(t *testing.T, dial func() net.Conn) {
		c := dial()
		fmt.Fprintf(c, "POST /upload HTTP/1.1\r\nHost: 127.0.0.1:80\r\nAuthorization: Bearer %s\r\nContent-Length: 4\r\n\r\n", bearer)
		for range 4 {
			time.Sleep(time.Minute)
			if _, err := io.WriteString(c, "x"); err != nil {
				t.Fatal(err)
			}
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); string(b) != "4 <nil>" || err != nil || resp.Close {
			t.Errorf("answer %q, %v, close %v", b, err, resp.Close)
		}
	})
}

func TestStreamOutlivesABodyNobodyAskedFor(t *testing.T) {
	bubble(t, server.Config{}, func(t *testing.T, dial func() net.Conn) {
		c := dial()
		go func() {
			_, _ = fmt.Fprintf(c, "GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:80\r\nAuthorization: Bearer %s\r\nContent-Length: 2\r\n\r\n{}", bearer)
		}()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		lines, beats := bufio.NewScanner(resp.Body), 0
		for beats < 3 && lines.Scan() {
			if lines.Text() == ": heartbeat" {
				beats++
			}
		}
		if beats != 3 {
			t.Errorf("the stream ended after %d heartbeats: %v", beats, lines.Err())
		}
	})
}

// T17: a client that asks and asks and never reads an answer.
func TestT17_UnreadAnswersHoldNoConnection(t *testing.T) {
	bubble(t, server.Config{}, func(t *testing.T, dial func() net.Conn) {
		c := dial()
		if _, err := io.WriteString(c, "GET /nope HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
			t.Errorf("a minute later the answer %q was still waiting, %v", b, err)
		}
	})
}

// T34: connections that say nothing, or that have said all they had to, make
// room for newcomers; those that are being answered do not.
func TestT34_IdleConnectionsMakeRoom(t *testing.T) {
	for _, test := range []struct{ name, first string }{
		{"silent", ""},
		{"half a request", "GET /health HTTP/1.1\r\nHos"},
		{"kept alive", "GET /health HTTP/1.1\r\nHost: $A\r\n\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := newFake()
			r := run(t, server.Config{Broker: fake})
			stream := r.dial(t, "GET /v1/events HTTP/1.1\r\nHost: $A\r\nAuthorization: Bearer "+bearer+"\r\n\r\n")
			events, err := http.ReadResponse(bufio.NewReader(stream), nil)
			if err != nil {
				t.Fatal(err)
			}
			var idle []net.Conn
			for range 2 * server.MaxConnections {
				idle = append(idle, r.dial(t, test.first))
			}
			began := time.Now()
			if status, _ := r.raw(t, "GET /health HTTP/1.1\r\nHost: $A\r\n\r\n"); status != "200 OK" {
				t.Errorf("status = %q", status)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("a newcomer waited for %v", took)
			}
			open, left := make([]bool, len(idle)), atomic.Int64{}
			var reads sync.WaitGroup
			for i, c := range idle {
				reads.Go(func() {
					_ = c.SetReadDeadline(time.Now().Add(time.Second))
					_, err := io.Copy(io.Discard, c)
					if open[i] = isTimeout(err); open[i] {
						left.Add(1)
					}
				})
			}
			reads.Wait()
			// Which of those that were answered go depends on when they were.
			switch last := len(idle) - 1; {
			case left.Load() >= server.MaxConnections: // the stream has a place too
				t.Errorf("%d connections are open", left.Load())
			case test.name != "kept alive" && (open[0] || !open[last]):
				t.Errorf("the oldest is open: %v, the newest: %v", open[0], open[last])
			}
			want := "id: " + fake.log.Append(api.Event{Type: api.EventLoginStarted}).ID
			_ = stream.SetReadDeadline(time.Now().Add(10 * time.Second))
			lines := bufio.NewScanner(events.Body)
			for lines.Scan() && lines.Text() != want {
			}
			if lines.Text() != want {
				t.Errorf("the stream was given up: %v", lines.Err())
			}
		})
	}
}

// dial connects and sends text, with $A for the address.
func (r *running) dial(t *testing.T, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, strings.ReplaceAll(text, "$A", r.addr)); err != nil {
		t.Fatal(err)
	}
	return c
}

// What the store says names files of the owner's home. That is for the owner's
// terminal and the daemon's log, not for the network.
func TestStoreFailuresShowNoPathsOverTCP(t *testing.T) {
	const path = "/home/alice/.local/share/usher/credentials/3f"
	fake := newFake()
	fake.err = api.Errorf(api.CodeStoreFailure, "%w", errors.New("open "+path+": permission denied"))
	var log strings.Builder
	s := newServer(t, server.Config{Broker: fake, Log: slog.New(slog.NewTextHandler(&log, nil))})
	tcp, socket := s.Handler(tcpAddr, false), s.Handler(unixAddr, true)
	for _, target := range []string{"/v1/credentials", "/v1/logins", "/workspace/auth/status"} {
		log.Reset()
		w := serve(tcp, authorized("GET", target, ""))
		if w.Code != 500 || !strings.Contains(w.Body.String(), `"code":"store_failure"`) || strings.Contains(w.Body.String(), path) {
			t.Errorf("%s over TCP: %d %s", target, w.Code, w.Body)
		}
		if !strings.Contains(log.String(), path) {
			t.Errorf("%s: the log does not say what is wrong: %s", target, &log)
		}
		r := authorized("GET", target, "")
		r.Host = "usher"
		if w := serve(socket, r); w.Code != 500 || !strings.Contains(w.Body.String(), path) {
			t.Errorf("%s over the owner's socket: %d %s", target, w.Code, w.Body)
		}
	}
}

// Without a token nobody is known to be the initiator: only the answer to the
// start itself shows code and links, and that to whoever joins does not.
func TestTokenlessDaemonShowsCodesToTheStarterOnly(t *testing.T) {
	fake := newFake()
	fake.wait = func(context.Context, string) (api.Login, error) {
		return pendingLogin(), api.Errorf(api.CodeLoginPending, "pending")
	}
	withLinks := pendingLogin()
	for name, h := range map[string]http.Handler{
		"tokenless":      newServer(t, server.Config{Broker: fake, NoAuth: true}).Handler(tcpAddr, false),
		"owner's socket": newServer(t, server.Config{Broker: fake, NoAuth: true}).Handler(unixAddr, true),
		"with the token": handler(t, server.Config{Broker: fake}),
	} {
		for _, test := range []struct {
			method, target, body string
			starts               bool
		}{
			{"POST", "/v1/logins", `{"key":"github"}`, true},
			{"POST", "/v1/logins", `{"key":"joined"}`, false},
			{"GET", "/v1/logins/l-1", "", false},
			{"GET", "/v1/logins/l-1?wait=1s", "", false},
		} {
			r := authorized(test.method, test.target, test.body, "Content-Type", "application/json")
			if name == "owner's socket" {
				r.Host = "usher"
			}
			w := serve(h, r)
			if w.Code/100 != 2 || !strings.Contains(w.Body.String(), `"status":"pending"`) {
				t.Errorf("%s: %s %s: %d %s", name, test.method, test.target, w.Code, w.Body)
			}
			want := test.starts || name != "tokenless"
			for _, hidden := range []string{withLinks.UserCode, withLinks.VerificationURI} {
				if got := strings.Contains(w.Body.String(), hidden); got != want {
					t.Errorf("%s: %s %s %s: shows %s is %v, want %v", name, test.method, test.target, test.body, hidden, got, want)
				}
			}
		}
	}
}

// T22: who asks is a claim that a person decides by, and that goes to the
// provider: it must not be able to look like something else.
func TestT22_OriginIsALineOfText(t *testing.T) {
	for _, test := range []struct {
		origin string
		status int
	}{
		{"alice@laptop", 201},
		{"Zoë Müller@büro", 201},
		{"", 201},
		{strings.Repeat("a", 320), 201},
		{strings.Repeat("a", 321), 400},
		{"alice@laptop\x1b[2K", 400},
		{"alice@laptop\n", 400},
		{"alice@\u202eecalp", 400},
		{"alice@\u2028laptop", 400},
	} {
		fake := newFake()
		body, err := json.Marshal(api.StartLogin{Key: "github", Origin: test.origin})
		if err != nil {
			t.Fatal(err)
		}
		w := serve(handler(t, server.Config{Broker: fake}), authorized("POST", "/v1/logins", string(body), "Content-Type", "application/json"))
		if w.Code != test.status || (len(fake.calls()) == 1) != (test.status == 201) {
			t.Errorf("origin %q: %d %s, calls %q", test.origin, w.Code, w.Body, fake.calls())
		}
	}
}

// T34: without any token, connections whose answers nobody takes, or that
// announce bodies which never come, keep their places from newcomers for an
// instant only.
func TestT34_LingeringConnectionsMakeRoom(t *testing.T) {
	const most = 4
	for _, test := range []struct {
		name, request string
		reads         bool
	}{
		{"answers that nobody takes", "GET /nope HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n", false},
		{"bodies that never come", "POST /v1/token HTTP/1.1\r\nHost: 127.0.0.1:80\r\nContent-Length: 10\r\n\r\n", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, server.Config{MaxConnections: most}, func(t *testing.T, dial func() net.Conn) {
				ask := func(request string) *bufio.Reader {
					c := dial()
					if _, err := io.WriteString(c, request); err != nil {
						t.Fatal(err)
					}
					return bufio.NewReader(c)
				}
				for range most {
					if r := ask(test.request); test.reads {
						if _, err := http.ReadResponse(r, nil); err != nil {
							t.Fatal(err)
						}
					}
				}
				synctest.Wait()
				began := time.Now()
				resp, err := http.ReadResponse(ask("GET /health HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n"), nil)
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("a newcomer gets %v, %v", resp, err)
				}
				if took := time.Since(began); took > 100*time.Millisecond {
					t.Errorf("it waited for %v", took)
				}
			})
		})
	}
}

// T34: clients that ask all the time make room for newcomers too, who are
// answered in turn, and whose own connections are not given up for others
// before they could ask.
func TestT34_NewcomersTakeTurns(t *testing.T) {
	const most, asking = 4, 16
	r := run(t, server.Config{MaxConnections: most})
	const request = "GET /nope HTTP/1.1\r\nHost: $A\r\n\r\n"
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	defer busy.Wait()
	defer cancel()
	ask := strings.ReplaceAll(request, "$A", r.addr)
	for range asking {
		busy.Go(func() {
			for ctx.Err() == nil {
				c, err := net.Dial("tcp", r.addr)
				if err != nil {
					t.Error(err)
					return
				}
				in := bufio.NewReader(c)
				for err == nil && ctx.Err() == nil {
					if _, err = io.WriteString(c, ask); err == nil {
						var resp *http.Response
						if resp, err = http.ReadResponse(in, nil); err == nil {
							_, err = io.Copy(io.Discard, resp.Body)
						}
					}
				}
				c.Close()
			}
		})
	}
	for i := range 20 {
		began := time.Now()
		if status, _ := r.raw(t, "GET /health HTTP/1.1\r\nHost: $A\r\nConnection: close\r\n\r\n"); status != "200 OK" {
			t.Errorf("newcomer %d: status = %q", i, status)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("newcomer %d waited for %v", i, took)
		}
	}
}

// T34: large bodies are taken in one after the other, so that what they cost
// does not grow with the connections. Small ones do not wait for them.
func TestT34_OneLargeBodyAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newServer(t, server.Config{NoAuth: true}).Handler(tcpAddr, false)
		const size = 1 << 20
		var taken [4]atomic.Int64
		end := make(chan struct{})
		var asking sync.WaitGroup
		for i := range taken {
			body, client := io.Pipe()
			go func() {
				for range size / 1024 {
					n, _ := client.Write(bytes.Repeat([]byte(" "), 1024))
					taken[i].Add(int64(n))
				}
				<-end
				_ = client.Close()
			}()
			r := request("POST", "/workspace/auth/device-flow", "", "Content-Type", "application/json")
			r.Body, r.ContentLength = body, -1
			asking.Go(func() { serve(h, r) })
		}
		large := func() (n int) {
			synctest.Wait()
			for i := range taken {
				if taken[i].Load() == size {
					n++
				}
			}
			return n
		}
		if n := large(); n != 1 {
			t.Errorf("%d large bodies are taken in at a time", n)
		}
		if w := serve(h, request("POST", "/workspace/auth/device-flow", `{"providerId":""}`, "Content-Type", "application/json")); w.Code != 400 {
			t.Errorf("a small one: %d %s", w.Code, w.Body)
		}
		close(end)
		asking.Wait()
		if n := large(); n != len(taken) {
			t.Errorf("%d of %d large bodies were taken in", n, len(taken))
		}
	})
}
