package ring_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/internal/ring"
)

func contents(r *ring.Ring[int]) (got []int) {
	for seq := r.Oldest(); seq <= r.Head(); seq++ {
		got = append(got, r.At(seq))
	}
	return got
}

func TestRingKeepsTheLast(t *testing.T) {
	tests := map[string]struct {
		capacity     int
		head         uint64
		appended     int
		want         []int
		oldest, last uint64
		full         bool
	}{
		"empty":                {3, 0, 0, nil, 1, 0, false},
		"empty, from 100":      {3, 100, 0, nil, 101, 100, false},
		"not full":             {3, 0, 2, []int{1, 2}, 1, 2, false},
		"full":                 {3, 0, 3, []int{1, 2, 3}, 1, 3, true},
		"once around":          {3, 0, 4, []int{2, 3, 4}, 2, 4, true},
		"often around":         {3, 0, 11, []int{9, 10, 11}, 9, 11, true},
		"around, from 100":     {3, 100, 5, []int{3, 4, 5}, 103, 105, true},
		"of one":               {1, 7, 2, []int{2}, 9, 9, true},
		"of none becomes one":  {0, 0, 2, []int{2}, 2, 2, true},
		"of less than nothing": {-5, 0, 2, []int{2}, 2, 2, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := ring.New[int](tt.capacity, tt.head)
			for i := range tt.appended {
				if got, want := r.Append(i+1), tt.head+uint64(i)+1; got != want {
					t.Errorf("number of value %d = %d, want %d", i+1, got, want)
				}
			}
			if diff := cmp.Diff(tt.want, contents(r)); diff != "" {
				t.Errorf("contents (-want +got):\n%s", diff)
			}
			if r.Oldest() != tt.oldest || r.Head() != tt.last || r.Full() != tt.full {
				t.Errorf("oldest %d, head %d, full %v; want %d, %d, %v", r.Oldest(), r.Head(), r.Full(), tt.oldest, tt.last, tt.full)
			}
		})
	}
}

func TestAppendWakes(t *testing.T) {
	r := ring.New[int](2, 0)
	before := r.Wake()
	select {
	case <-before:
		t.Fatal("awake before anything was appended")
	default:
	}
	r.Append(1)
	select {
	case <-before:
	default:
		t.Error("not woken by Append")
	}
	select {
	case <-r.Wake():
		t.Error("the next waiter is woken by what was there before")
	default:
	}
}
