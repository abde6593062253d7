package token

import (
	"math/rand/v2"
	"time"
)

// backOff remembers that renewing a generation failed, so that readers do not
// hammer a provider in trouble.
type backOff struct {
	generation uint64
	failures   int
	until      time.Time
	err        error
}

const (
	firstBackOff = time.Second
	lastBackOff  = 30 * time.Second
	// restBackOff is how much longer than readers the background waits after
	// many failures: nobody stands waiting.
	restBackOff = 5 * time.Minute
	// manyFailures in a row are no hiccup.
	manyFailures = 6
)

// errFor is the error to answer for generation without trying, or nil.
func (b *backOff) errFor(generation uint64) error {
	if b.err == nil || b.generation != generation || !time.Now().Before(b.until) {
		return nil
	}
	return b.err
}

// rests reports whether renewing generation in the background has to wait.
func (b *backOff) rests(generation uint64) bool {
	if b.err == nil || b.generation != generation {
		return false
	}
	until := b.until
	if b.failures >= manyFailures {
		until = until.Add(restBackOff)
	}
	return time.Now().Before(until)
}

// remembers reports whether there is something in b that the next failure is to
// be counted with.
func (b *backOff) remembers() bool {
	return b.err != nil && time.Now().Before(b.until.Add(restBackOff+lastBackOff))
}

// note takes the result of a rotation into account and returns the result for
// its readers, which names the time of the next try.
func (b *backOff) note(generation uint64, r result) result {
	if !r.pauses {
		if r.err == nil {
			*b = backOff{}
		}
		return r
	}
	if b.generation != generation {
		*b = backOff{generation: generation}
	}
	delay := lastBackOff
	if b.failures < 5 {
		delay = firstBackOff << b.failures
	}
	b.failures++
	// Half of it is chance, so that processes that failed together do not
	// return together.
	delay = max(delay/2+rand.N(delay/2), r.pause)
	b.until = time.Now().Add(delay)
	if e, ok := r.err.(*RefreshError); ok {
		e.RetryAt = b.until.Round(0)
	}
	b.err = r.err
	return r
}
