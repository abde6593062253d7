package term

import (
	"os"

	"golang.org/x/sys/windows"
)

// enableEscapes makes a console understand escapes. Consoles too old for it
// show them as text, which is ugly and harmless.
func enableEscapes(f *os.File) {
	h := windows.Handle(f.Fd())
	var mode uint32
	if windows.GetConsoleMode(h, &mode) == nil {
		_ = windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING)
	}
}
