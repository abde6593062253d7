package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/config"
)

// attendantPatience is how long an attendant may take until it watches its login.
const attendantPatience = 20 * time.Second

// startAttendant starts a process of its own that goes on with the login, and
// returns when it watches it: from then on this one may end, however that comes
// about. back's sockets are handed on to it.
func (a *app) startAttendant(ctx context.Context, s *session, l api.Login, back *answerListener) error {
	sockets, err := back.files()
	if err != nil {
		return cannotLeave(err)
	}
	defer closeAll(sockets)
	cmd, said, err := a.attendant(s.dirs, l, sockets)
	if err != nil {
		return cannotLeave(err)
	}
	defer said.Close()
	if err := cmd.Start(); err != nil {
		return cannotLeave(err)
	}
	_ = cmd.Stdout.(*os.File).Close() // the attendant's end of the pipe
	heard := make(chan string, 1)
	go func() { heard <- hear(said) }()
	timeout := time.NewTimer(attendantPatience)
	defer timeout.Stop()
	select {
	case words := <-heard:
		if words == "" {
			return cmd.Process.Release()
		}
		err = cannotLeave(fmt.Errorf("%s", show(words)))
	case <-ctx.Done():
		err = ctx.Err()
	case <-timeout.C:
		err = cannotLeave(fmt.Errorf("the process that is to go on with it did not answer in %s", attendantPatience))
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return err
}

func cannotLeave(err error) *api.Error {
	return api.Errorf(api.CodeInternal, "nothing can be left here to go on with the login: %w", err).
		WithHint("without --no-wait the command goes on itself; a daemon does it for all: usher serve")
}

// attendant is the command of an attendant, and the pipe that it says on what
// there is to say: nothing after it watches the login. It has nothing else of
// this process: no terminal, no folder and no open file, so that none of them is
// kept by it, and whoever reads what this process writes gets to the end of it.
func (a *app) attendant(dirs config.Dirs, l api.Login, sockets []*os.File) (cmd *exec.Cmd, said *os.File, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("finding this program: %w", err)
	}
	said, says, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	cmd = exec.Command(self, "login-attend", l.ID, "--sockets", strconv.Itoa(len(sockets)))
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = says, says, sockets
	// Its folder is another one; what is relative here must not be there.
	cmd.Env = append(os.Environ(), "USHER_HOME="+dirs.Home, "USHER_CONFIG="+dirs.ConfigFile, "USHER_DEBUG=")
	leaveAlone(cmd)
	return cmd, said, nil
}

// hear reads what an attendant says until it watches its login; anything but that
// is why it does not.
func hear(said io.Reader) (trouble string) {
	words := make([]byte, 0, 4<<10)
	for len(words) < cap(words) {
		n, err := said.Read(words[len(words):cap(words)])
		words = words[:len(words)+n]
		if bytes.HasSuffix(words, []byte(attending+"\n")) {
			return ""
		}
		if err != nil {
			break
		}
	}
	text := strings.TrimPrefix(strings.TrimSpace(string(words)), "usher: ")
	if text == "" {
		return "the process that is to go on with it has ended"
	}
	return strings.ReplaceAll(text, "\n", "; ")
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // of a duplicate
	}
}
