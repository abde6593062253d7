//go:build unix

package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/usherauth/usher/secret"
)

// asOther makes the test binary a program that becomes another one.
const asOther = "USHER_TEST_BECOME"

func TestMain(m *testing.M) {
	if how := os.Getenv(asOther); how != "" {
		fmt.Fprintln(os.Stderr, become(how))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// become becomes a shell with a secret at each of the first numbers, among them
// those under which the runtime has its own files.
func become(how string) error {
	c := Command{Path: "/bin/sh", Args: []string{"sh", "-c", ""}, Env: os.Environ(), Secrets: map[int]secret.String{}}
	for n := range 7 {
		if n == 0 || n > 2 {
			c.Secrets[n] = secret.New(fmt.Sprintf("secret-%d", n))
			c.Args[2] += fmt.Sprintf("cat <&%d; echo;", n)
		}
	}
	endings := make(chan os.Signal, 1)
	switch how {
	case "long":
		c.Secrets = map[int]secret.String{3: secret.New(strings.Repeat("x", 1<<20))}
	case "ending":
		endings <- syscall.SIGTERM
	case "gone":
		c.Path = "/no/such/program"
	}
	err := Become(c, endings)
	if failed, ok := errors.AsType[*Error](err); ok {
		return fmt.Errorf("%d: %w", failed.Code, err)
	}
	return err
}

func TestBecome(t *testing.T) {
	for how, want := range map[string]string{
		"plainly": "secret-0\nsecret-3\nsecret-4\nsecret-5\nsecret-6\n",
		"long":    "125: the token is too long for a pipe; let the command have it in a file\n",
		"ending":  context.Canceled.Error() + "\n",
		"gone":    "127: sh cannot be executed: no such file or directory\n",
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), asOther+"="+how)
		said, err := cmd.CombinedOutput()
		if string(said) != want || (err == nil) != (how == "plainly") {
			t.Errorf("%s: said %q, %v\nwant %q", how, said, err, want)
		}
	}
}

func TestCheckNumber(t *testing.T) {
	for n, ok := range map[int]bool{-1: false, 0: true, 1: false, 2: false, 3: true, 200: true, 1 << 30: false} {
		if err := CheckNumber(n); (err == nil) != ok {
			t.Errorf("%d: %v", n, err)
		}
	}
}

// TestEnded, by the kernel's word and by looking again and again.
func TestEnded(t *testing.T) {
	for name, watch := range map[string]func(int) <-chan struct{}{
		"told": Ended,
		"looking": func(pid int) <-chan struct{} {
			ended := make(chan struct{})
			go poll(pid, ended)
			return ended
		},
	} {
		cmd := exec.Command("cat")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := watch(cmd.Process.Pid)
		select {
		case <-ended:
			t.Errorf("%s: it has not ended", name)
		default:
		}
		_ = in.Close()
		_ = cmd.Wait()
		<-ended
	}
}
