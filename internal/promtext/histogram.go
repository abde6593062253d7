package promtext

import (
	"slices"
	"sync"
)

// Histogram counts values by how large they are. It is safe for concurrent use;
// make it with [NewHistogram].
type Histogram struct {
	bounds []float64

	mu     sync.Mutex
	counts []uint64 // by bucket, the last one being that above all bounds
	sum    float64
}

// NewHistogram returns an empty histogram with buckets that end at bounds, which
// grow, and one for everything above.
func NewHistogram(bounds ...float64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
}

// Observe counts a value.
func (h *Histogram) Observe(value float64) {
	bucket, _ := slices.BinarySearch(h.bounds, value) // a bound belongs to its bucket
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[bucket]++
	h.sum += value
}

func (h *Histogram) read() (counts []uint64, sum float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.counts), h.sum
}
