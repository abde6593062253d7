//go:build unix

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/child"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/internal/filelock"
)

const execAttendHelp = `Mind the files with tokens of usher exec, and remove them when its command has
ended. usher exec starts this; it is not for people.

usage: usher exec-attend
`

// attended is what an attendant of token files is told on standard input.
type attended struct {
	PID     int          `json:"pid"` // of the process that becomes the command
	Dir     string       `json:"dir"`
	Files   []*tokenFile `json:"files"`
	Refresh bool         `json:"refresh"`
}

// mindFiles starts a process of its own, the attendant, that minds the files and
// removes them when this process has ended, or rather the command that it
// becomes. It is no child of the command, which would not know it and might wait
// for it, and in a session of its own, so that no signal to the command's group
// reaches it.
func (a *app) mindFiles(ctx context.Context, dirs config.Dirs, f *tokenFiles, refresh bool) error {
	told, err := json.Marshal(attended{PID: os.Getpid(), Dir: f.dir, Files: f.files, Refresh: refresh})
	if err != nil {
		return api.Errorf(api.CodeInternal, "encoding what to mind: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, attendantPatience)
	defer cancel()
	cmd, err := execAttendant(ctx, dirs, "--away")
	if err != nil {
		return cannotMind(err)
	}
	cmd.Stdin, cmd.WaitDelay = bytes.NewReader(told), time.Second
	said, err := cmd.Output()
	switch {
	case ctx.Err() == context.Canceled:
		return ctx.Err()
	case err != nil:
		return cannotMind(err)
	case string(said) != attending+"\n":
		return cannotMind(errors.New("the process that is to mind them has ended"))
	}
	return nil
}

func cannotMind(err error) *api.Error {
	return api.Errorf(api.CodeInternal, "nothing can be left beside the command to mind its files: %w", err).
		WithHint("without --file no process is needed beside it")
}

// execAttendant is the command of an attendant.
func execAttendant(ctx context.Context, dirs config.Dirs, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"exec-attend"}, args...)...)
	cmd.Stderr = os.Stderr
	// Its folder is another one; what is relative here must not be there.
	cmd.Env = append(os.Environ(), "USHER_HOME="+dirs.Home, "USHER_CONFIG="+dirs.ConfigFile)
	return cmd, nil
}

// execAttendCommand is the attendant. With --away it is the process that starts
// one and ends, so that it is nobody's child.
func (a *app) execAttendCommand() *cobra.Command {
	var away bool
	cmd := a.command(&cobra.Command{
		Use: "exec-attend", Short: "mind the files of usher exec", Long: execAttendHelp,
		Args: arguments(), Hidden: true,
	}, func(ctx context.Context, _ []string) error {
		// Signals that ask it to end are not for it: the command gets them as
		// well, and ends or does not.
		ctx = context.WithoutCancel(ctx)
		if away {
			return a.sendAttendant(ctx)
		}
		return a.attendFiles(ctx)
	})
	cmd.Flags().BoolVar(&away, "away", false, "start it as nobody's child")
	return cmd
}

func (a *app) sendAttendant(ctx context.Context) error {
	dirs, err := a.dirs()
	if err != nil {
		return err
	}
	cmd, err := execAttendant(ctx, dirs)
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	leaveAlone(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

// attendFiles minds the files until the command has ended.
func (a *app) attendFiles(ctx context.Context) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGQUIT)
	var told attended
	if err := json.NewDecoder(a.in).Decode(&told); err != nil {
		return usagef("what is told on standard input is wrong: %w", err)
	}
	ended := child.Ended(told.PID)
	f := &tokenFiles{dir: told.Dir, files: told.Files}
	defer f.remove()
	lock, err := filelock.Acquire(ctx, filepath.Join(f.dir, attendantLock))
	if err != nil {
		return storeError(err)
	}
	defer func() { _ = lock.Release() }()
	if !told.Refresh {
		err := a.sayAttending()
		<-ended
		return err
	}
	return a.withSession(ctx, func(ctx context.Context, s *session) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() { <-ended; cancel() }()
		if err := a.sayAttending(); err != nil {
			return err
		}
		a.keepFresh(ctx, s, f)
		f.remove() // before what is under way is waited for
		return nil
	})
}

// sayAttending tells whoever started this process that it minds the files now.
func (a *app) sayAttending() error {
	if err := a.printf("%s\n", attending); err != nil {
		return err
	}
	return os.Stdout.Close()
}
