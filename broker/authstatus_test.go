package broker

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestStatusCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c statusCache
		reads := 0
		read := func() (standing, error) { reads++; return standing{}, nil }
		want := func(n int, when string) {
			t.Helper()
			if _, err := c.get(read); err != nil {
				t.Errorf("%s: %v", when, err)
			}
			if reads != n {
				t.Errorf("%s: read %d times, want %d", when, reads, n)
			}
		}
		want(1, "at first")
		want(1, "again")
		time.Sleep(statusAge - time.Nanosecond)
		want(1, "just before it is old")
		time.Sleep(time.Nanosecond)
		want(2, "when it is old")
		c.drop()
		want(3, "after a change")
		want(3, "after that")

		// A change while it is being read: what was read may lack it.
		c.drop()
		if _, err := c.get(func() (standing, error) { c.drop(); return read() }); err != nil {
			t.Error(err)
		}
		want(5, "after a change during the reading")

		// Trouble is told and not kept.
		c.drop()
		trouble := errors.New("trouble")
		if at, err := c.get(func() (standing, error) { return standing{}, trouble }); at != nil || !errors.Is(err, trouble) {
			t.Errorf("trouble became %v, %v", at, err)
		}
		want(6, "after trouble")
	})
}
