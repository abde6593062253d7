package login

import (
	"container/heap"
	"sync"
	"time"
)

// schedule wakes entries when they are due: one goroutine and one timer for
// all of them. The waking itself happens on goroutines of its own, at most
// perProvider at a time for each provider, so that one that hangs neither uses
// up the memory nor holds up the others.
type schedule struct {
	began time.Time // the zero of due times
	run   func(*entry)

	mu     sync.Mutex
	queue  queue
	lanes  map[string]*lane // by provider
	poke   chan struct{}    // holds a value when the first of the queue changed; nil: not running
	closed bool
}

// perProvider bounds the polls in flight at one provider.
const perProvider = 256

// lane is a provider's polls.
type lane struct {
	running int
	waiting []*entry
}

func newSchedule(began time.Time, run func(*entry)) *schedule {
	return &schedule{began: began, run: run, lanes: make(map[string]*lane)}
}

// set has e woken at due, instead of whenever that was to be.
func (s *schedule) set(e *entry, due time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	e.due = due.Sub(s.began)
	if e.place > 0 {
		heap.Fix(&s.queue, int(e.place)-1)
	} else {
		heap.Push(&s.queue, e)
	}
	if s.poke == nil {
		s.poke = make(chan struct{}, 1)
		go s.loop()
	}
	if e.place == 1 {
		s.pokeLocked()
	}
}

// remove has e not woken any more.
func (s *schedule) remove(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.place > 0 {
		heap.Remove(&s.queue, int(e.place)-1)
	}
}

// close has nothing woken any more. What is running goes on.
func (s *schedule) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, e := range s.queue {
		e.place = 0
	}
	s.queue = nil
	for _, l := range s.lanes {
		l.waiting = nil
	}
	if s.poke != nil {
		s.pokeLocked()
	}
}

func (s *schedule) pokeLocked() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// loop is the one goroutine. It ends when the schedule is closed.
func (s *schedule) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, empty, closed := s.wakeDue()
		if closed {
			return
		}
		timer.Stop()
		if !empty {
			timer.Reset(next)
		}
		select {
		case <-timer.C:
		case <-s.poke:
		}
	}
}

// wakeDue wakes what is due and returns how long the next one has to wait.
func (s *schedule) wakeDue() (next time.Duration, empty, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.began)
	for len(s.queue) > 0 && s.queue[0].due <= now {
		s.startLocked(heap.Pop(&s.queue).(*entry))
	}
	if len(s.queue) == 0 {
		return 0, true, s.closed
	}
	return s.queue[0].due - now, false, s.closed
}

func (s *schedule) startLocked(e *entry) {
	l := s.lanes[e.provider]
	if l == nil {
		l = &lane{}
		s.lanes[e.provider] = l
	}
	if l.running >= perProvider {
		l.waiting = append(l.waiting, e)
		return
	}
	l.running++
	go s.work(e, l)
}

// work runs e, and then what has been waiting for its place.
func (s *schedule) work(e *entry, l *lane) {
	for e != nil {
		s.run(e)
		e = s.nextOf(l, e.provider)
	}
}

func (s *schedule) nextOf(l *lane, provider string) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(l.waiting) == 0 {
		if l.running--; l.running == 0 {
			delete(s.lanes, provider)
		}
		return nil
	}
	e := l.waiting[0]
	l.waiting[0] = nil
	l.waiting = l.waiting[1:]
	return e
}

// queue is a heap of entries by due time. An entry's place is one more than
// its index, 0 when it is not in the queue.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due < q[j].due }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = int32(i+1), int32(j+1)
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	*q = append(*q, e)
	e.place = int32(len(*q))
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.place = 0
	return e
}
