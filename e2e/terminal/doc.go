// Package terminal is a person's terminal for tests: the real program in a
// pseudo-terminal, and a real terminal emulator that shows what it writes. The
// emulator is xterm.js, with its colours, its scrollback and its way to fit
// wrapped lines to a new width; it runs in one Node.js process for all tests.
//
// Start a program with [Start], wait for what a person would wait for with
// [Terminal.Await], act with [Terminal.Type] and [Terminal.Resize], and look at
// the [Screen]:
//
//	term := terminal.Start(t, exec.Command(usher, "login", "here"), terminal.Options{Columns: 80, Rows: 24})
//	screen := term.Await("the link", func(s *terminal.Screen) bool { return s.Link("https://") != "" })
//	screen.Text()            // what is to be seen
//	screen.Link("https://")  // the line that a person selects with the mouse
//	term.QR(terminal.Dark)   // what a phone reads off the screen
//	term.Type("\x1b")        // Esc
//	term.Wait()              // the exit code
//
// What a program asks a terminal is answered, unless [Options.Mute] says not.
package terminal
