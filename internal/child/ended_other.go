//go:build unix && !linux

package child

// Ended returns a channel that is closed when the process of that id has ended.
// The process must be there at the call.
func Ended(pid int) <-chan struct{} {
	ended := make(chan struct{})
	go poll(pid, ended)
	return ended
}
