package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"
)

// syncDelay is how long a line may wait to be on the disk. It is with the
// kernel at once, so that only a power cut can lose it.
const syncDelay = time.Second

// A File is the audit log of a daemon, as the JSON sink of a [Writer]: lines
// are appended to a file that log rotation may move away. It is made by
// [OpenFile] and safe for concurrent use.
//
// A line is handed to the kernel by one write before Write returns, so that the
// death of the process loses none, and is on the disk a second later. Keep the
// file on a local file system: whoever is recorded waits for that write.
type File struct {
	path   string
	notify func(trouble error, lost int)

	mu      sync.Mutex
	file    *os.File
	torn    bool  // the file does not end with a line end
	trouble error // why the last line is not in the file
	lost    int   // lines since the trouble began
	syncing bool  // a sync is due
}

// OpenFile opens the audit log at path for appending, and creates it with mode
// 0600 if it is missing; its directory must exist. What others could write to,
// or could have put there, is refused: a link, anything but a regular file, one
// that belongs to another user or has further names, or one that its group or
// everybody may write to (on Windows only what is not a regular file).
//
// A log that cannot be written must not stop what it is about. Write therefore
// never fails; instead notify is told of the error when lines begin to be lost,
// and when it works again of nil and of how many were, which the log then says
// in a line of its own too. notify must not call f's methods.
func OpenFile(path string, notify func(trouble error, lost int)) (*File, error) {
	f := &File{path: path, notify: notify}
	var err error
	if f.file, f.torn, err = openLog(path); err != nil {
		return nil, err
	}
	return f, nil
}

// openLog opens the log at path, and tells whether it ends within a line.
func openLog(path string) (_ *os.File, torn bool, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|openFlags, 0o600)
	switch {
	case errors.Is(err, syscall.ELOOP): // what openFlags makes of a link
		return nil, false, fmt.Errorf("opening audit log %s: it is a link", path)
	case err != nil:
		return nil, false, fmt.Errorf("opening audit log: %w", err)
	}
	info, err := file.Stat()
	if err == nil {
		err = checkLog(info)
	}
	if err == nil && info.Size() > 0 {
		var last [1]byte
		_, err = file.ReadAt(last[:], info.Size()-1)
		torn = last[0] != '\n'
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, false, fmt.Errorf("opening audit log %s: %w", path, err)
	}
	return file, torn, nil
}

func checkLog(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	return checkOwner(info)
}

// Write appends line, which must end with a line end and be no secret. It
// returns len(line) and nil in any case; see [OpenFile].
func (f *File) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var text []byte
	if f.torn {
		text = append(text, '\n')
	}
	if f.lost > 0 {
		text = append(text, gap(f.lost)...)
	}
	if err := f.append(append(text, line...)); err != nil {
		f.lost++
		f.fails(err)
		return len(line), nil
	}
	if f.trouble != nil {
		f.notify(nil, f.lost)
		f.trouble, f.lost = nil, 0
	}
	if !f.syncing {
		f.syncing = true
		time.AfterFunc(syncDelay, f.sync)
	}
	return len(line), nil
}

// append writes text whole or, as far as that can be, not at all.
func (f *File) append(text []byte) error {
	n, err := f.file.Write(text)
	if err == nil {
		f.torn = false
		return nil
	}
	if n > 0 {
		// The disk was full within the line. This process is the only writer.
		info, statErr := f.file.Stat()
		f.torn = statErr != nil || f.file.Truncate(info.Size()-int64(n)) != nil
	}
	return err
}

// fails tells of the beginning of trouble.
func (f *File) fails(err error) {
	if f.trouble == nil {
		f.notify(fmt.Errorf("writing audit log: %w", err), 0)
	}
	f.trouble = err
}

// gap is the line that stands for n lines that were lost.
func gap(n int) []byte {
	return append(marshal(struct {
		Time   time.Time `json:"time"`
		Action string    `json:"action"`
		Status string    `json:"status"`
		Lines  int       `json:"lines"`
	}{time.Now().UTC(), "audit", "lost", n}), '\n')
}

// sync brings what was written to the disk.
func (f *File) sync() {
	f.mu.Lock()
	file := f.file
	f.syncing = false
	f.mu.Unlock()
	// Without the lock: lines go on being written while the disk works.
	if err := file.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
		f.mu.Lock()
		f.fails(err)
		f.mu.Unlock()
	}
}

// Reopen opens the path again, which after a rotation is another file, and goes
// on there. Every line is in the one or the other. When that fails, f goes on
// with the file it has.
func (f *File) Reopen() error {
	file, torn, err := openLog(f.path)
	if err != nil {
		return err
	}
	f.mu.Lock()
	old := f.file
	f.file, f.torn = file, torn
	f.mu.Unlock()
	return finish(old)
}

// Close brings everything to the disk and closes the file. Lines that are
// written later are lost.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return finish(f.file)
}

func finish(file *os.File) error {
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("closing audit log: %w", err)
	}
	return nil
}
