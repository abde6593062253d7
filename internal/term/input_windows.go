package term

import (
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// silent is what reading yields when nothing came in time.
const silent = -1

// input is a console to read single keys from.
type input struct {
	console windows.Handle
	old     uint32         // its mode as it was
	woken   windows.Handle // an event that ends a wait
}

func openInput(f *os.File) (*input, error) {
	woken, err := windows.CreateEvent(nil, 0, 0, nil)
	if err != nil {
		return nil, err
	}
	return &input{console: windows.Handle(f.Fd()), woken: woken}, nil
}

// close keeps the event, since it may be set at any time; the process's end
// frees it.
func (i *input) close() {}

// wake ends a wait. A read is ended as well: what there is to read may be no key,
// such as that the window got the focus, and then it waits for one.
func (i *input) wake() {
	_ = windows.SetEvent(i.woken)
	_ = windows.CancelIoEx(i.console, nil)
}

func (i *input) foreground() bool { return true }

// setMode makes the console pass on each key at once, with sequences for those
// that are no characters, and show none. Ctrl-C stays a signal.
func (i *input) setMode() error {
	if err := windows.GetConsoleMode(i.console, &i.old); err != nil {
		return err
	}
	mode := i.old&^(windows.ENABLE_LINE_INPUT|windows.ENABLE_ECHO_INPUT) | windows.ENABLE_VIRTUAL_TERMINAL_INPUT
	return windows.SetConsoleMode(i.console, mode)
}

// restoreMode undoes setMode.
func (i *input) restoreMode() { _ = windows.SetConsoleMode(i.console, i.old) }

// read reads what there is into p, and waits for it for as long as patience, 0
// for ever. It yields silent if nothing came by then, and 0 if the wait was ended
// early.
func (i *input) read(p []byte, patience time.Duration) (int, error) {
	limit := uint32(windows.INFINITE)
	if patience > 0 {
		limit = uint32(patience.Milliseconds())
	}
	event, err := windows.WaitForMultipleObjects([]windows.Handle{i.woken, i.console}, false, limit)
	switch {
	case event == uint32(windows.WAIT_TIMEOUT):
		return silent, nil
	case err != nil || event != windows.WAIT_OBJECT_0+1:
		return 0, err
	}
	var n uint32
	if err := windows.ReadFile(i.console, p, &n, nil); err != windows.ERROR_OPERATION_ABORTED {
		return int(n), err
	}
	return 0, nil
}

// rest waits without reading.
func (i *input) rest(d time.Duration) {
	_, _ = windows.WaitForSingleObject(i.woken, uint32(d.Milliseconds()))
}
