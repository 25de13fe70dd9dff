package memory

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nvent-go/nvent/adapter"
)

func newTestJob(n adapter.NewJob) *job {
	return &job{spec: n, index: -1}
}

// TestCatalogueAgainstSlice adds and removes jobs and compares walks, and that what is removed frees its chunk.
func TestCatalogueAgainstSlice(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	var c catalogue
	var model []*job
	for step := range 12_000 {
		if step < 6000 && r.IntN(3) > 0 || len(model) == 0 {
			j := newTestJob(adapter.NewJob{Labels: map[string]string{"k": "v"}})
			c.add(j)
			model = append(model, j)
		} else {
			i := r.IntN(len(model))
			c.remove(model[i])
			model = slices.Delete(model, i, i+1)
		}
		if step%400 != 0 {
			continue
		}
		from := uint64(r.IntN(int(c.next) + 2))
		for _, desc := range []bool{false, true} {
			want := slices.DeleteFunc(slices.Clone(model), func(j *job) bool { return !beyond(j, from, desc) })
			if desc {
				slices.Reverse(want)
			}
			var got []*job
			c.walk(from, desc, func(j *job) bool { got = append(got, j); return true })
			if !slices.Equal(got, want) {
				t.Fatalf("step %d: walk(%d, %v) visits %d jobs, want %d", step, from, desc, len(got), len(want))
			}
		}
	}
	for _, j := range model {
		c.remove(j)
	}
	if len(c.chunks) > 1 || len(c.labels) != 0 {
		t.Errorf("an empty catalogue has %d chunks and %d labels", len(c.chunks), len(c.labels))
	}
	c.walk(math.MaxUint64, true, func(*job) bool { t.Error("an empty catalogue has a job"); return false })
}

// TestLineAgainstSort pushes, removes and pops jobs of several priorities, some of which come back to their place.
func TestLineAgainstSort(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	l := newLine()
	var model []*job
	seq := uint64(0)
	for range 20_000 {
		switch n := r.IntN(10); {
		case n < 5 || len(model) == 0:
			seq++
			j := newTestJob(adapter.NewJob{Priority: max(r.IntN(5)-2, 0)})
			j.seq = seq
			if r.IntN(4) == 0 {
				j.seq = uint64(r.IntN(int(seq)))<<20 | seq // anywhere, but unique
			} else {
				j.seq <<= 20
			}
			l.push(j)
			model = append(model, j)
		case n < 6:
			i := r.IntN(len(model))
			l.remove(model[i])
			model = slices.Delete(model, i, i+1)
		default:
			first := 0
			for i, j := range model {
				if ahead(j, model[first]) {
					first = i
				}
			}
			if got := l.pop(); got != model[first] {
				t.Fatalf("pop returns %d, want %d", got.seq, model[first].seq)
			}
			model = slices.Delete(model, first, first+1)
		}
		if l.len() != len(model) {
			t.Fatalf("%d jobs wait, want %d", l.len(), len(model))
		}
	}
}
