package broker

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestStatusCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c statusCache
		reads := 0
		read := func() standing { reads++; return standing{} }
		want := func(n int, when string) {
			t.Helper()
			c.get(read)
			if reads != n {
				t.Errorf("%s: read %d times, want %d", when, reads, n)
			}
		}
		want(1, "at first")
		want(1, "again")
		time.Sleep(statusAge - 1)
		want(1, "just before it is old")
		time.Sleep(1)
		want(2, "when it is old")
		c.drop()
		want(3, "after a change")
		want(3, "after that")

		// A change while it is being read: what was read may lack it.
		c.drop()
		c.get(func() standing { c.drop(); return read() })
		want(5, "after a change during the reading")
	})
}
