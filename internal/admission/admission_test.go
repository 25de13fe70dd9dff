package admission_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/admission"
)

func store(t *testing.T) adapter.Store {
	t.Helper()
	s := memory.New(nil).Store()
	if err := s.Declare(t.Context(), admission.Collections...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// slowStore lets others get in between a read and the commit that follows it.
type slowStore struct{ adapter.Store }

func (s slowStore) Commit(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
	done := make(chan struct{})
	adapter.SystemClock().AfterFunc(rand.N(200*time.Microsecond), func() { close(done) })
	<-done
	return s.Store.Commit(ctx, b)
}

// TestAGateNeverLetsInTooMany has many runs enter and leave at once.
func TestAGateNeverLetsInTooMany(t *testing.T) {
	t.Parallel()
	s := slowStore{store(t)}
	g := admission.Gates("f", "", &flow.Limits{MaxRuns: 3})[0]
	const runs = 60
	turn := map[string]chan struct{}{}
	for i := range runs {
		turn[fmt.Sprint(i)] = make(chan struct{}, 1)
	}
	var inside, most atomic.Int64
	var all sync.WaitGroup
	for i := range runs {
		all.Go(func() {
			run := fmt.Sprint(i)
			a, err := admission.Enter(t.Context(), s, g, run)
			if err != nil {
				t.Error(err)
				return
			}
			if !a.Inside {
				<-turn[run]
				if a, err = admission.Enter(t.Context(), s, g, run); err != nil || !a.Inside {
					t.Errorf("run %s was told that it is its turn, and gets %+v, %v", run, a, err)
				}
			}
			if n := inside.Add(1); n > most.Load() {
				most.Store(n)
			}
			runtime.Gosched()
			inside.Add(-1)
			promoted, err := admission.Leave(t.Context(), s, g, run)
			if err != nil {
				t.Error(err)
			}
			for _, next := range promoted {
				turn[next] <- struct{}{}
			}
		})
	}
	all.Wait()
	if most.Load() > 3 {
		t.Errorf("%d runs inside at once, want 3 at most", most.Load())
	}
	checkEmpty(t, s)
}

func checkEmpty(t *testing.T, s adapter.Store) {
	t.Helper()
	for _, c := range []string{admission.CollectionGates, admission.CollectionMembers} {
		page, err := s.List(t.Context(), c, adapter.Query{})
		if err != nil || len(page.Items) != 0 {
			t.Errorf("%s has %+v, %v; want nothing", c, page.Items, err)
		}
	}
}

// TestAGateAgreesWithAQueue compares random visits, repeated as after crashes, with a list of those inside and those that wait.
func TestAGateAgreesWithAQueue(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	for range 50 {
		s := store(t)
		limits := &flow.Limits{MaxRuns: 1 + r.IntN(4)}
		g := admission.Gates("f", "", limits)[0]
		var inside, waiting []string
		for i := range 100 {
			run := fmt.Sprint(r.IntN(20))
			if r.IntN(2) == 0 {
				a, err := admission.Enter(t.Context(), s, g, run)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(inside, run) && !slices.Contains(waiting, run) {
					if len(inside) < g.Max {
						inside = append(inside, run)
					} else {
						waiting = append(waiting, run)
					}
				}
				if a.Inside != slices.Contains(inside, run) {
					t.Fatalf("seed %d, visit %d: run %s inside %v, want %v", seed, i, run, a.Inside, slices.Contains(inside, run))
				}
				continue
			}
			promoted, err := admission.Leave(t.Context(), s, g, run)
			if err != nil {
				t.Fatal(err)
			}
			inside, waiting = without(inside, run), without(waiting, run)
			var want []string
			for len(inside) < g.Max && len(waiting) > 0 {
				inside, want, waiting = append(inside, waiting[0]), append(want, waiting[0]), waiting[1:]
			}
			if fmt.Sprint(promoted) != fmt.Sprint(want) {
				t.Fatalf("seed %d, visit %d: %q are let in, want %q", seed, i, promoted, want)
			}
		}
		for _, run := range append(waiting, inside...) {
			if _, err := admission.Leave(t.Context(), s, g, run); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 { // who was promoted meanwhile
			if _, err := admission.Leave(t.Context(), s, g, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		checkEmpty(t, s)
	}
}

func without(list []string, run string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(r string) bool { return r == run })
}

// TestAWiderGateLetsThoseInThatWait raises a limit while runs wait.
func TestAWiderGateLetsThoseInThatWait(t *testing.T) {
	t.Parallel()
	s := store(t)
	narrow, wide := admission.Gates("f", "", &flow.Limits{MaxRuns: 1})[0], admission.Gates("f", "", &flow.Limits{MaxRuns: 3})[0]
	for _, run := range []string{"a", "b", "c", "d"} {
		if _, err := admission.Enter(t.Context(), s, narrow, run); err != nil {
			t.Fatal(err)
		}
	}
	promoted, err := admission.Leave(t.Context(), s, wide, "a")
	if err != nil || fmt.Sprint(promoted) != "[b c d]" {
		t.Errorf("%q are let in, %v; want b, c and d", promoted, err)
	}
}
