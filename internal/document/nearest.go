package document

import "slices"

// Nearest returns the candidate that word was probably meant to be, or "" if none is close. Of equally close ones it returns
// the first in alphabetical order.
func Nearest(word string, candidates []string) string {
	most := min(2, len(word)-1)
	if len(word) > 6 {
		most = 3
	}
	best, distance := "", most+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := editDistance(word, c, distance); d < distance && c != word {
			best, distance = c, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, substitutions and swaps of neighbours that turn a into b. Beyond limit the
// exact count does not matter.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
