package term

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/usherauth/usher/secret"
)

// Key is a key that was pressed, or a text that was pasted.
type Key struct {
	// Rune is the character of a key, or one of the constants; 0 for a paste.
	Rune rune
	// Paste is a text that came at once, as it came and at most 64 KiB of it.
	// It may hold a secret, such as the code in a redirected URL.
	Paste secret.String
}

// Keys that are no characters.
const (
	KeyEOF   rune = 0x04 // Ctrl-D
	KeyEnter rune = '\n'
	KeyEsc   rune = 0x1b
	// KeyBackspace is that key, whichever of its two codes a terminal sends.
	KeyBackspace rune = 0x7f
)

const (
	// maxPaste bounds a paste, in bytes; what is beyond is dropped.
	maxPaste = 64 << 10
	// maxReply bounds what a terminal answers to a query, in bytes.
	maxReply = 128
	// maxTyped is how many characters a person types within the same moment.
	maxTyped = 3
)

// How long the silence is that decides what the bytes before it were.
const (
	// Esc alone. The rest of a sequence arrives with it, but for bad networks.
	escSilence = 100 * time.Millisecond
	// One key, or the beginning of a paste.
	keySilence = 30 * time.Millisecond
	// The end of a paste that the terminal did not mark as one.
	burstSilence = 300 * time.Millisecond
	// The end of one that it marked, when the mark was lost.
	pasteSilence = 3 * time.Second
)

// decoder makes keys of the bytes that a terminal sends. Escape sequences, such
// as those of arrow keys, are no keys and vanish whole.
type decoder struct {
	key   func(Key)
	reply func(string) // an answer to a query, without its introducer and end

	state state
	text  []byte // characters that are not keys yet, or the paste
	seq   []byte // the sequence so far
	skip  int    // bytes to swallow
}

// state is what the next byte is a part of.
type state int

const (
	ground  state = iota // a character
	inEsc                // a sequence, after ESC
	inCSI                // parameters and a final byte, after ESC [
	inStr                // a string, up to BEL or ESC \
	strEnd               // the end of one, after its ESC
	inSkip               // bytes to swallow
	inPaste              // a paste
)

// feed takes bytes as they came from the terminal.
func (d *decoder) feed(p []byte) {
	for _, b := range p {
		switch d.state {
		case ground:
			d.character(b)
		case inEsc:
			d.escape(b)
		case inCSI:
			d.csi(b)
		case inStr:
			d.str(b)
		case strEnd:
			if d.to(ground); b != '\\' {
				d.escape(b)
			}
		case inSkip:
			if d.skip--; d.skip == 0 {
				d.to(ground)
			}
		case inPaste:
			d.paste(b)
		}
	}
}

// to enters a state.
func (d *decoder) to(s state) { d.state, d.seq = s, d.seq[:0] }

func (d *decoder) character(b byte) {
	switch {
	case b == 0x1b:
		d.flush()
		d.to(inEsc)
	case b == '\r' || b == '\n':
		if !d.flush() { // else it ended a paste
			d.key(Key{Rune: KeyEnter})
		}
	case b == byte(KeyEOF):
		d.flush()
		d.key(Key{Rune: KeyEOF})
	case b == byte(KeyBackspace) || b == '\b':
		d.flush()
		d.key(Key{Rune: KeyBackspace})
	case b >= ' ' && len(d.text) < maxPaste:
		d.text = append(d.text, b)
	}
}

// flush makes keys of the characters so far, or a paste if they came too fast
// to have been typed, which it reports.
func (d *decoder) flush() (pasted bool) {
	text := d.text
	d.text = nil
	if isBurst(text) {
		d.key(Key{Paste: secret.New(string(text))})
		return true
	}
	for _, r := range string(text) {
		if r != utf8.RuneError && !unicode.IsControl(r) {
			d.key(Key{Rune: r})
		}
	}
	return false
}

func isBurst(text []byte) bool { return utf8.RuneCount(text) > maxTyped }

// escape takes the byte after ESC.
func (d *decoder) escape(b byte) {
	switch b {
	case '[':
		d.to(inCSI)
	case ']', 'P', '_', '^', 'X':
		d.to(inStr)
		d.seq = append(d.seq, b)
	case 'O':
		d.swallow(1)
	case 0x1b:
		d.key(Key{Rune: KeyEsc})
		d.to(inEsc)
	default: // a key with Alt
		d.to(ground)
	}
}

// swallow drops the next n bytes.
func (d *decoder) swallow(n int) {
	d.to(inSkip)
	d.skip = n
}

// csi takes a byte of the sequence after ESC [.
func (d *decoder) csi(b byte) {
	switch {
	case b == 0x1b:
		d.to(inEsc)
	case b == 0x18 || b == 0x1a: // CAN and SUB break off
		d.to(ground)
	case b < 0x40 || b > 0x7e:
		d.collect(b)
	default:
		d.endCSI(b)
	}
}

// collect keeps a byte of a sequence; what is too long is none of ours.
func (d *decoder) collect(b byte) {
	if len(d.seq) < maxReply {
		d.seq = append(d.seq, b)
	}
}

// endCSI ends the sequence by its final byte.
func (d *decoder) endCSI(final byte) {
	params := string(d.seq)
	d.to(ground)
	switch {
	case final == '~' && params == "200":
		d.to(inPaste)
	case final == '[' && params == "": // a function key of the console of Linux
		d.swallow(1)
	case final == 'M' && params == "": // a mouse of old
		d.swallow(3)
	case final == 'c' && strings.HasPrefix(params, "?"):
		d.reply(attributesReply)
	}
}

// str takes a byte of a string, such as that of an answer. None has line
// breaks; one ends what was no string.
func (d *decoder) str(b byte) {
	switch b {
	case 0x1b, '\a':
		if d.seq[0] == ']' {
			d.reply(string(d.seq[1:]))
		}
		d.to(ground)
		if b == 0x1b {
			d.to(strEnd)
		}
	case 0x18, 0x1a, '\r', '\n':
		d.to(ground)
	default:
		d.collect(b)
	}
}

// pasteEnd is what a terminal sends after a paste.
const pasteEnd = "\x1b[201~"

// paste takes a byte of a paste. The last ones are in seq, where the end is
// looked for.
func (d *decoder) paste(b byte) {
	d.seq = append(d.seq, b)
	switch {
	case string(d.seq) == pasteEnd:
		d.endPaste()
	case len(d.seq) == len(pasteEnd):
		if len(d.text) < maxPaste {
			d.text = append(d.text, d.seq[0])
		}
		d.seq = append(d.seq[:0], d.seq[1:]...)
	}
}

func (d *decoder) endPaste() {
	text := d.text
	d.text = nil
	d.to(ground)
	d.key(Key{Paste: secret.New(string(text))})
}

// patience is the silence after which [decoder.silence] is to be called; 0 if
// nothing waits for it.
func (d *decoder) patience() time.Duration {
	switch {
	case d.state == inPaste:
		return pasteSilence
	case d.state == inEsc || d.state == strEnd:
		return escSilence
	case isBurst(d.text):
		return burstSilence
	case len(d.text) > 0:
		return keySilence
	}
	return 0
}

// silence tells that nothing came for as long as patience said.
func (d *decoder) silence() {
	switch d.state {
	case inPaste:
		d.text = append(d.text, d.seq...)
		d.endPaste()
	case inEsc, strEnd:
		d.to(ground)
		d.key(Key{Rune: KeyEsc})
	case ground:
		d.flush()
	}
}
