package term

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Shade is how light the background of a terminal is.
type Shade int

const (
	Unknown Shade = iota
	Dark
	Light
)

func (s Shade) String() string { return [...]string{"unknown", "dark", "light"}[s] }

const (
	// askBackground asks for the colour of the background, and askAttributes what
	// kind of terminal it is. Every terminal answers the second question, and in
	// order: after that the first will not be answered any more.
	askBackground = "\x1b]11;?\x1b\\"
	askAttributes = "\x1b[c"

	// attributesReply stands for the answer to the second question.
	attributesReply = "c"

	// shadeBound is how long an answer may take, and replyBound how long closing
	// waits for one that is late: the shell would read it as typed.
	shadeBound = 200 * time.Millisecond
	replyBound = 500 * time.Millisecond
)

// Background tells how light the background of the terminal is. It asks the
// terminal, whose answer comes by way of k, and waits 200 ms for it; without k
// or an answer it goes by COLORFGBG.
func (s *Screen) Background(ctx context.Context, k *Keyboard) Shade {
	if k != nil && s.getenv("TERM") != "linux" {
		if shade := k.askShade(ctx); shade != Unknown {
			return shade
		}
	}
	return shadeOfEnvironment(s.getenv("COLORFGBG"))
}

// askShade asks the terminal.
func (k *Keyboard) askShade(ctx context.Context) Shade {
	k.mu.Lock()
	k.owed = true
	k.mu.Unlock()
	k.s.control(askBackground + askAttributes)
	ctx, cancel := context.WithTimeout(ctx, shadeBound)
	defer cancel()
	for {
		select {
		case reply := <-k.replies:
			if shade, ok := shadeOfReply(reply); ok || reply == attributesReply {
				return shade
			}
		case <-ctx.Done():
			return Unknown
		case <-k.ended:
			return Unknown
		}
	}
}

// heard takes what the terminal answered.
func (k *Keyboard) heard(reply string) {
	k.mu.Lock()
	k.owed = k.owed && reply != attributesReply
	k.mu.Unlock()
	select {
	case k.replies <- reply:
	default: // nobody waits for so many
	}
}

// awaitReply waits for an answer that is still to come.
func (k *Keyboard) awaitReply() {
	k.mu.Lock()
	owed := k.owed
	k.owed = false // once is enough
	k.mu.Unlock()
	if !owed {
		return
	}
	late := time.After(replyBound)
	for {
		select {
		case reply := <-k.replies:
			if reply == attributesReply {
				return
			}
		case <-late:
			return
		case <-k.ended:
			return
		}
	}
}

// shadeOfReply reads an answer such as 11;rgb:1e1e/1e1e/2e2e. Each part has one
// to four digits.
func shadeOfReply(reply string) (Shade, bool) {
	color, ok := strings.CutPrefix(reply, "11;rgb:")
	if !ok {
		color, ok = strings.CutPrefix(reply, "11;rgba:")
	}
	parts := strings.Split(color, "/")
	if !ok || len(parts) < 3 {
		return Unknown, false
	}
	weights := [...]float64{0.2126, 0.7152, 0.0722} // how bright red, green and blue look
	luminance := 0.0
	for i, weight := range weights {
		value, err := strconv.ParseUint(parts[i], 16, 16)
		if err != nil {
			return Unknown, false
		}
		luminance += weight * float64(value) / float64(uint(1)<<(4*len(parts[i]))-1)
	}
	if luminance > 0.5 {
		return Light, true
	}
	return Dark, true
}

// shadeOfEnvironment reads COLORFGBG, such as 15;0 or 0;default;15: the last
// number is the background's, of the 16 colours.
func shadeOfEnvironment(colors string) Shade {
	n, err := strconv.Atoi(colors[strings.LastIndexByte(colors, ';')+1:])
	switch {
	case err != nil || n < 0 || n > 15:
		return Unknown
	case n == 7 || n > 8:
		return Light
	}
	return Dark
}
