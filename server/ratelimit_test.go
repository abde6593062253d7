package server_test

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/server"
)

// Row 1.9: the answer, on both surfaces, to the letter.
func TestRateLimitAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// 3 a minute: one again after 20 s.
		h := handler(t, server.Config{RateLimit: &server.RateLimit{Read: 3, Mutation: 2}})
		for i := range 3 {
			if w := serve(h, authorized("GET", "/workspace/auth/status", "")); w.Code != 200 {
				t.Fatalf("request %d: %d", i, w.Code)
			}
		}
		time.Sleep(66*time.Millisecond + time.Microsecond)
		w := serve(h, authorized("GET", "/workspace/auth/status", ""))
		want := `{"error":"Rate limit exceeded","code":"rate_limit_exceeded","tier":"read","retryAfterMs":19934}`
		if w.Code != 429 || w.Body.String() != want || w.Header().Get("Content-Type") != compatJSON {
			t.Errorf("got  %d %s\nwant 429 %s", w.Code, w.Body, want)
		}
		headers := map[string]string{
			"Retry-After": "20", "X-RateLimit-Limit": "3", "X-RateLimit-Remaining": "0",
			"X-RateLimit-Reset": strconv.FormatInt(time.Now().Unix()+20, 10),
		}
		for name, want := range headers {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		w = serve(h, authorized("GET", "/v1/logins", ""))
		native := `{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"Rate limit exceeded","code":"rate_limit_exceeded","hint":"the limit is 3 requests that read; wait for 20 s"}`
		if w.Code != 429 || w.Body.String() != native || w.Header().Get("Retry-After") != "20" {
			t.Errorf("got  %d %s %v\nwant 429 %s", w.Code, w.Body, w.Header(), native)
		}
		// The other tier has a bucket of its own.
		for i, want := range []int{204, 204, 429} {
			if w := serve(h, authorized("DELETE", "/workspace/auth/device-flow/"+flowID, "")); w.Code != want {
				t.Errorf("cancel %d: %d, want %d", i, w.Code, want)
			}
		}
		w = serve(h, authorized("DELETE", "/v1/logins/l-1", ""))
		if got := w.Header().Get("Retry-After"); w.Code != 429 || got != "30" {
			t.Errorf("cancel on /v1: %d, Retry-After %s", w.Code, got)
		}
		// As told, and not earlier.
		time.Sleep(19933 * time.Millisecond)
		if w := serve(h, authorized("GET", "/workspace/auth/status", "")); w.Code != 429 {
			t.Errorf("a moment too early: %d", w.Code)
		}
		time.Sleep(time.Millisecond)
		for i, want := range []int{200, 429} {
			if w := serve(h, authorized("GET", "/workspace/auth/status", "")); w.Code != want {
				t.Errorf("in time, request %d: %d, want %d", i, w.Code, want)
			}
		}
	})
}

// How many requests of each kind pass in a burst, and after a while.
func TestRateLimitDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := handler(t, server.Config{RateLimit: &server.RateLimit{}})
		burst := func(method, path string) (passed int) {
			for ; passed < 1000; passed++ {
				if serve(h, authorized(method, path, "")).Code == 429 {
					break
				}
			}
			return passed
		}
		var got []int
		for range 2 {
			got = append(got, burst("GET", "/capabilities"), burst("HEAD", "/capabilities"), burst("DELETE", "/v1/logins/l-1"), burst("PUT", "/nope"))
			time.Sleep(30 * time.Second)
		}
		time.Sleep(time.Hour) // no more than full
		got = append(got, burst("GET", "/capabilities"), burst("DELETE", "/v1/logins/l-1"))
		if diff := cmp.Diff([]int{120, 0, 30, 0, 60, 0, 15, 0, 120, 30}, got); diff != "" {
			t.Errorf("requests that passed (-want +got):\n%s", diff)
		}
	})
}

func TestRateLimitTellsClientsApart(t *testing.T) {
	type from struct{ addr, client string }
	tests := map[string]struct {
		listen net.Addr
		seq    []from
		want   []int
	}{
		"loopback: by client id": {
			tcpAddr,
			[]from{{"127.0.0.1:1", "a"}, {"127.0.0.1:2", "a"}, {"127.0.0.1:1", "b"}, {"127.0.0.1:1", ""}, {"127.0.0.1:3", ""}, {"127.0.0.1:1", "bad id!"}, {"127.0.0.1:1", "anonymous"}},
			[]int{200, 429, 200, 200, 429, 429, 200},
		},
		"elsewhere: by address and client id": {
			&net.TCPAddr{IP: net.IPv4zero, Port: 4170},
			[]from{{"192.0.2.1:1", "a"}, {"192.0.2.1:2", "a"}, {"192.0.2.2:1", "a"}, {"192.0.2.1:1", "b"}, {"192.0.2.1:1", ""}, {"192.0.2.1:9", ""}, {"[2001:db8::1]:9", ""}},
			[]int{200, 429, 200, 200, 200, 429, 200},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newServer(t, server.Config{RateLimit: &server.RateLimit{Read: 1, Window: time.Hour}}).Handler(tt.listen, false)
			var got []int
			for _, f := range tt.seq {
				r := authorized("GET", "/workspace/auth/status", "", "X-Qwen-Client-Id", f.client)
				r.RemoteAddr = f.addr
				got = append(got, serve(h, r).Code)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRateLimitLeavesOut(t *testing.T) {
	fake := newFake()
	s := newServer(t, server.Config{Broker: fake, AllowedOrigins: []string{page}, RateLimit: &server.RateLimit{Read: 1, Mutation: 1, Window: time.Hour}})
	h := s.Handler(tcpAddr, false)
	exempt := map[string]bool{
		"GET /health": true, "GET /v1/events": true, "GET /session/{id}/events": true, "POST /session/{id}/heartbeat": true,
	}
	for _, rt := range s.Routes() {
		line := rt.Method + " " + rt.Pattern
		var last int
		for range 3 {
			last = serve(h, probe(t, fake, rt, "Authorization", "Bearer "+bearer, "X-Qwen-Client-Id", "c")).Code
		}
		if (last == 429) == exempt[line] {
			t.Errorf("%s: the third request: %d", line, last)
		}
		// Who has no bearer uses up nobody's.
		if w := serve(h, probe(t, fake, rt)); w.Code == 429 {
			t.Errorf("%s without a bearer: 429", line)
		}
	}
	for range 3 {
		if w := serve(h, request("OPTIONS", "/v1/logins", "", "Origin", page, "Access-Control-Request-Method", "GET")); w.Code != 204 {
			t.Errorf("preflight: %d", w.Code)
		}
		r := request("GET", "/v1/credentials", "")
		r.Host = "usher"
		if w := serve(s.Handler(unixAddr, true), r); w.Code != 200 {
			t.Errorf("the owner: %d", w.Code)
		}
	}
}

// Who draws client ids gets no more than the clients that can be told apart,
// and one bucket beyond; the others keep theirs.
func TestRateLimitDoesNotFailOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := handler(t, server.Config{RateLimit: &server.RateLimit{Read: 2}})
		get := func(client string) int {
			return serve(h, authorized("GET", "/capabilities", "", "X-Qwen-Client-Id", client)).Code
		}
		for range 2 {
			if got := get("honest"); got != 200 {
				t.Fatalf("first: %d", got)
			}
		}
		passed := map[int]int{}
		for i := range server.MaxLimited + 500 {
			passed[get(fmt.Sprint("drawn-", i))]++
		}
		// One place is taken by the honest client, one bucket is for all others.
		want := map[int]int{http.StatusOK: server.MaxLimited - 1 + 2, http.StatusTooManyRequests: 499}
		if diff := cmp.Diff(want, passed); diff != "" {
			t.Errorf("requests by status (-want +got):\n%s", diff)
		}
		if got := get("honest"); got != 429 {
			t.Errorf("the honest client: %d, want 429", got)
		}
		time.Sleep(30 * time.Second) // one each
		if got := get("honest"); got != 200 {
			t.Errorf("the honest client, later: %d, want 200", got)
		}
		time.Sleep(time.Minute) // all full and forgotten: there is room
		for i := range 100 {
			if got := get(fmt.Sprint("new-", i)); got != 200 {
				t.Fatalf("a new client: %d", got)
			}
		}
	})
}
