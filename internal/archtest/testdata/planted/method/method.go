// Package method starts a program in a method that nothing here calls.
package method

import "os"

// An Opener opens things.
type Opener struct{ program string }

// Open starts the program.
func (o *Opener) Open(url string) error {
	_, err := os.StartProcess(o.program, []string{o.program, url}, &os.ProcAttr{})
	return err
}
