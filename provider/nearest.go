package provider

import "strings"

// nearest returns the known name that name is most likely a slip for: the one
// fewest edits away, with one edit allowed and another one for each eight
// letters, but fewer than there are letters; or the only one that begins with
// name. Empty if none is near.
func nearest(name string, known []string) string {
	name = strings.ToLower(name)
	best, distance := "", min(2+min(len(name), 63)/8, len(name))
	var begin []string
	for _, k := range known {
		if d := edits(name, k); d < distance {
			best, distance = k, d
		}
		if len(name) > 1 && strings.HasPrefix(k, name) {
			begin = append(begin, k)
		}
	}
	if best == "" && len(begin) == 1 {
		return begin[0]
	}
	return best
}

// edits is the number of letters to insert, delete, replace or swap with the
// next one to make b of a (the optimal string alignment distance).
func edits(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64 // too long to be any provider's name
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
