// Package ring keeps the last values of an endless numbered sequence, for logs
// that readers follow by position. Make a [Ring] with [New].
//
// A reader is nothing but a number: what it has read. It looks at [Ring.Oldest]
// to learn whether it missed something, takes what comes after its number with
// [Ring.At], and waits on [Ring.Wake] when its number is that of [Ring.Head].
package ring

// A Ring holds the last values appended. Its owner guards it: no method may run
// beside [Ring.Append] or [Ring.Rouse].
type Ring[T any] struct {
	kept     []T // grows to capacity, so that a ring that is hardly used costs little
	capacity uint64
	first    uint64 // number of the first value ever appended
	head     uint64 // number of the newest
	wake     chan struct{}
}

// New returns an empty ring that keeps the last capacity values, at least one.
// The first one appended gets the number after head.
func New[T any](capacity int, head uint64) *Ring[T] {
	return &Ring[T]{capacity: uint64(max(capacity, 1)), first: head + 1, head: head, wake: make(chan struct{})}
}

// Append adds v, drops the oldest value if there is no room, wakes whoever
// waits, and returns the number of v. It costs the same whoever waits for it.
func (r *Ring[T]) Append(v T) uint64 {
	r.head++
	if uint64(len(r.kept)) < r.capacity {
		r.kept = append(r.kept, v)
	} else {
		r.kept[r.place(r.head)] = v
	}
	r.Rouse()
	return r.head
}

// Rouse wakes whoever waits, as Append does: for owners with other news.
func (r *Ring[T]) Rouse() {
	close(r.wake)
	r.wake = make(chan struct{})
}

// At returns the value with the number seq, which must be in [Oldest, Head].
func (r *Ring[T]) At(seq uint64) T { return r.kept[r.place(seq)] }

// Head is the number of the newest value; before the first one, the number
// that New was given.
func (r *Ring[T]) Head() uint64 { return r.head }

// Oldest is the number of the oldest value kept; Head + 1 if there is none.
func (r *Ring[T]) Oldest() uint64 { return r.head - uint64(len(r.kept)) + 1 }

// Full reports whether the next Append drops the oldest value.
func (r *Ring[T]) Full() bool { return uint64(len(r.kept)) == r.capacity }

// Wake returns a channel that the next Append or Rouse closes.
func (r *Ring[T]) Wake() <-chan struct{} { return r.wake }

func (r *Ring[T]) place(seq uint64) uint64 { return (seq - r.first) % r.capacity }
