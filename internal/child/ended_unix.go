//go:build unix

package child

import "time"

// poll closes ended when there is no process of that id.
func poll(pid int, ended chan<- struct{}) {
	defer close(ended)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for alive(pid) {
		<-tick.C
	}
}
