package term

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxAnswer bounds an answer, in bytes; terminals take no longer lines.
const maxAnswer = 4096

// CanRead reports whether in is a terminal that a person types at for this
// process. One in the background of its shell is not typed at, and would be
// stopped if it tried to read.
func CanRead(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && inForeground(int(f.Fd()))
}

// Ask shows question, which ends where the answer is typed, and returns the line
// that comes from in, without blanks around it. Question and answer are erased.
// The error is that of ctx when it ends first, and io.EOF or another one of
// reading when there is no line. A read that was given up goes on until the
// process ends, and swallows what is typed then: nothing may be asked after it.
func (s *Screen) Ask(ctx context.Context, in io.Reader, question string) (string, error) {
	question = Wrap(question, s.Columns())
	if _, err := io.WriteString(s, question); err != nil {
		return "", err
	}
	type line struct {
		text string
		err  error
	}
	lines := make(chan line, 1)
	go func() {
		text, err := readLine(in)
		lines <- line{text, err}
	}()
	select {
	case l := <-lines:
		s.unask(question, l.text, l.err == nil)
		return strings.TrimSpace(l.text), l.err
	case <-ctx.Done():
		s.unask(question, "", false)
		return "", ctx.Err()
	}
}

// readLine reads a line by single bytes, so that what follows it is left for
// whoever reads next.
func readLine(in io.Reader) (string, error) {
	var text []byte
	var b [1]byte
	for len(text) <= maxAnswer {
		n, err := in.Read(b[:])
		switch {
		case n == 1 && b[0] == '\n':
			return string(text), nil
		case n == 1:
			text = append(text, b[0])
		case err != nil:
			return string(text), err
		}
	}
	return "", errors.New("the answer is too long")
}

// unask erases a question and the answer that the terminal showed behind it;
// entered tells that the cursor is on the line below. Where nothing can be
// erased, it ends the line.
func (s *Screen) unask(question, answer string, entered bool) {
	s.mu.Lock()
	s.echoed = false // goes with the question
	s.mu.Unlock()
	if !s.CanLive() {
		if !entered {
			_, _ = io.WriteString(s, "\n")
		}
		return
	}
	lines := strings.Split(question+answer, "\n")
	up := len(lines) - 1
	if columns := s.Columns(); columns > 0 {
		for _, line := range lines { // links are not wrapped by us
			up += max(Width(line)-1, 0) / columns
		}
	}
	if entered {
		up++
	}
	_, _ = io.WriteString(s, strings.Repeat("\x1b[A", up)+"\r"+eraseBelow)
}
