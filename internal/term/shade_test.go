package term

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestShades(t *testing.T) {
	for reply, want := range map[string]Shade{
		"11;rgb:0000/0000/0000": Dark, "11;rgb:ffff/ffff/ffff": Light, "11;rgb:f/f/f": Light, "11;rgb:1e/1e/2e": Dark,
		"11;rgb:fdfd/f6f6/e3e3": Light, "11;rgb:0000/ffff/0000": Light, "11;rgb:0000/0000/ffff": Dark, "11;rgba:ff/ff/ff/ff": Light,
		"10;rgb:ffff/ffff/ffff": Unknown, "11;#ffffff": Unknown, "11;rgb:ff/ff": Unknown, "11;rgb:x/y/z": Unknown, "11;rgb://": Unknown, "11;rgb:fffff/f/f": Unknown, "": Unknown, "c": Unknown,
	} {
		if got, ok := shadeOfReply(reply); got != want || ok != (want != Unknown) {
			t.Errorf("%s: %v, want %v", reply, got, want)
		}
	}
	for colors, want := range map[string]Shade{
		"": Unknown, "15;0": Dark, "0;15": Light, "0;default;15": Light, "12;8": Dark, "0;7": Light, "x": Unknown, "0;default": Unknown, "0;99": Unknown, "0;-1": Unknown,
	} {
		s := New(&terminal{columns: 80, rows: 24}, environment("COLORFGBG="+colors))
		if got := s.Background(t.Context(), nil); got != want {
			t.Errorf("%s: %v, want %v", colors, got, want)
		}
	}
}

// Closing waits for an answer that is late, since the shell would read it as
// typed; but once, and not for ever.
func TestCloseAwaitsReply(t *testing.T) {
	for _, c := range []struct{ answer, want time.Duration }{
		{300 * time.Millisecond, 300 * time.Millisecond}, {time.Hour, replyBound},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := &Keyboard{
				s:       New(&terminal{columns: 80, rows: 24}, noEnv),
				replies: make(chan string, 4), ended: make(chan struct{}), stop: func() {},
			}
			if shade := k.askShade(t.Context()); shade != Unknown {
				t.Errorf("without an answer the background is %v", shade)
			}
			closing := time.Now()
			time.AfterFunc(c.answer, func() { k.heard(attributesReply) })
			var closed time.Duration
			k.stop = func() {
				closed = time.Since(closing)
				close(k.ended)
			}
			if k.Close(); closed != c.want {
				t.Errorf("closed after %v, want %v", closed, c.want)
			}
			if k.awaitReply(); time.Since(closing) != closed {
				t.Error("waited again")
			}
		})
	}
}
