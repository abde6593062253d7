package server_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/server"
	"github.com/usherauth/usher/session"
)

const (
	// fanOut is how many clients follow sessions in the benchmark.
	fanOut = 1000
	// fanOutClients makes the test binary be those clients: an address, and
	// the ids of the sessions to follow in turn.
	fanOutClients = "USHER_FANOUT_CLIENTS"
)

func TestMain(m *testing.M) {
	if where := os.Getenv(fanOutClients); where != "" {
		followAll(strings.Fields(where))
		return
	}
	os.Exit(m.Run())
}

// BenchmarkSessionFanOut publishes events to 1,000 subscribers over TCP, who
// are a process of their own on the same machine, and reports the time from
// publishing to the moment the last of them has read the frame, and what a
// subscriber costs the server in heap and stacks. Beside it stands what the
// machine can do: as many plain connections, written to in a loop.
func BenchmarkSessionFanOut(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		bare := listenBare(b)
		where := []string{bare.Addr().String()}
		for range sessionsNeeded {
			where = append(where, "bare")
		}
		lastRead, _ := followers(b, where)
		measure(b, bare.publish, lastRead)
	})
	b.Run("hub", func(b *testing.B) {
		fake := newFake()
		srv, err := server.New(server.Config{Broker: fake, Token: secret.New(bearer), MaxConnections: 2 * fanOut})
		if err != nil {
			b.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		where := []string{l.Addr().String()}
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- srv.Serve(ctx, server.Listener{Listener: l}) }()
		b.Cleanup(func() {
			cancel()
			if err := <-served; err != nil {
				b.Error(err)
			}
		})
		for range sessionsNeeded {
			where = append(where, newSession(b, fake.hub))
		}
		lastRead, perClient := followers(b, where)
		measure(b, func() { fake.hub.Publish("1f28", fanOutEvent) }, lastRead)
		b.ReportMetric(perClient, "B/subscriber")
	})
}

// sessionsNeeded is how many sessions take fanOut subscribers.
const sessionsNeeded = (fanOut + session.MaxSubscribers - 1) / session.MaxSubscribers

var fanOutEvent = api.SessionEvent{
	Type: api.SessionFlowStarted, OriginatorClientID: "cli-A",
	Data: api.FlowStartedData{DeviceFlowID: "1f280000-0000-4000-8000-000000000000", ProviderID: "qwen-oauth", ExpiresAt: 1795288958444},
}

// measure reports how long it takes from publish to the last client.
func measure(b *testing.B, publish func(), lastRead func(b *testing.B) int64) {
	var took []time.Duration
	for b.Loop() {
		began := time.Now().UnixNano()
		publish()
		took = append(took, time.Duration(lastRead(b)-began))
	}
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
}

// bareServer answers every connection as a session stream begins, and knows
// nothing else.
type bareServer struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func listenBare(b *testing.B) *bareServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &bareServer{Listener: l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nd\r\nretry: 3000\n\n\r\n")
		}
	}()
	b.Cleanup(func() {
		l.Close()
		for _, c := range s.conns {
			c.Close()
		}
	})
	return s
}

// publish writes a frame of the usual length to each connection, on all cores.
func (s *bareServer) publish() {
	frame := []byte("140\r\n{{{" + strings.Repeat("x", 317) + "\r\n")
	s.mu.Lock()
	defer s.mu.Unlock()
	var wg sync.WaitGroup
	for part := range slices.Chunk(s.conns, (len(s.conns)+runtime.NumCPU()-1)/runtime.NumCPU()) {
		wg.Go(func() {
			for _, c := range part {
				_, _ = c.Write(frame)
			}
		})
	}
	wg.Wait()
}

// memory is what the heap and the stacks use now.
func memory() int64 {
	for range 3 {
		runtime.GC()
	}
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() + samples[1].Value.Uint64())
}

// followers starts the clients and waits until all are connected. It returns a
// function that waits for the next time the last of them has read a frame, and
// by how much each has made this process grow.
func followers(b *testing.B, where []string) (lastRead func(b *testing.B) int64, perClient float64) {
	before := memory()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), fanOutClients+"="+strings.Join(where, " "))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	next := func(b *testing.B) int64 {
		if !lines.Scan() {
			b.Fatal("the clients are gone")
		}
		n, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	next(b)
	return next, float64(memory()-before) / fanOut
}

// followAll follows the sessions and prints the time when all have read the
// beginning of their streams, and then for each event when the last one has
// read it. It uses the kernel's own interface, so that what is measured is
// the server as far as possible.
func followAll(where []string) {
	poll, err := syscall.EpollCreate1(0)
	if err != nil {
		panic(err)
	}
	addr, sessions := where[0], where[1:]
	for i := range fanOut {
		fd, err := followOne(addr, sessions[i/session.MaxSubscribers])
		if err != nil {
			panic(err)
		}
		if err := syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}); err != nil {
			panic(err)
		}
	}
	fmt.Println(time.Now().UnixNano())
	var (
		ready [256]syscall.EpollEvent
		buf   [4096]byte
	)
	for braces := 0; ; {
		n, err := syscall.EpollWait(poll, ready[:], -1)
		if err != nil && err != syscall.EINTR {
			panic(err)
		}
		for _, e := range ready[:max(n, 0)] {
			n, err := syscall.Read(int(e.Fd), buf[:])
			if n <= 0 || err != nil {
				return // the server stops
			}
			// An event has three objects; nothing else on the wire has one.
			braces += bytes.Count(buf[:n], []byte("{"))
		}
		if braces >= 3*fanOut {
			braces = 0
			fmt.Println(time.Now().UnixNano())
		}
	}
}

// followOne opens a stream and reads its beginning.
func followOne(addr, id string) (fd int, err error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return 0, err
	}
	if fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0); err != nil {
		return 0, err
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}); err != nil {
		return 0, err
	}
	request := fmt.Sprintf("GET /session/%s/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", id, addr, bearer)
	if _, err := syscall.Write(fd, []byte(request)); err != nil {
		return 0, err
	}
	for got := []byte(nil); !bytes.Contains(got, []byte("retry: 3000\n\n\r\n")); {
		var buf [1024]byte
		n, err := syscall.Read(fd, buf[:])
		if n <= 0 || err != nil {
			return 0, fmt.Errorf("%q: %v", got, err)
		}
		got = append(got, buf[:n]...)
	}
	return fd, nil
}
