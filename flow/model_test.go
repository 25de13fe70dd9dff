package flow_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/nvent-go/nvent/flow"
)

// seedFlag replays one seed of a test that generates: go test ./flow -run TestModel -seed 42 -v.
var seedFlag = flag.Int64("seed", -1, "replay this seed only, and print everything about it")

// seeds calls a test with n seeds, on two goroutines, until one fails.
func seeds(t *testing.T, n int, test func(seed uint64) error) {
	t.Helper()
	if *seedFlag >= 0 {
		if err := test(uint64(*seedFlag)); err != nil {
			t.Errorf("seed %d: %v", *seedFlag, err)
		}
		return
	}
	var group sync.WaitGroup
	for half := range 2 {
		group.Go(func() {
			for seed := half; seed < n && !t.Failed(); seed += 2 {
				if err := test(uint64(seed)); err != nil {
					t.Errorf("seed %d (replay with -seed %d -v): %v", seed, seed, err)
				}
			}
		})
	}
	group.Wait()
}

// TestModel runs random flows in random orders, with repetitions, losses, pauses, refused commits and chunks that are not
// loaded, and checks the invariants of [books] after every transition. The log is the one that the reference expects; and the
// flow read back from its document, in another order, has the same.
func TestModel(t *testing.T) {
	t.Parallel()
	n := 10_000
	if raceEnabled || testing.Short() {
		n = 500
	}
	var mu sync.Mutex
	kinds := map[string]int{}
	seeds(t, n, func(seed uint64) error {
		ref, err := runModel(t, seed)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
		case ref.raced:
			kinds["raced"]++
		case ref.failed:
			kinds["failed"]++
		default:
			kinds["completed"]++
		}
		return err
	})
	if *seedFlag < 0 && kinds["completed"] < n/3 {
		t.Errorf("the models come to %v: too few of them prove much", kinds)
	}
}

// runModel runs the model of a seed and its document.
func runModel(t *testing.T, seed uint64) (*reference, error) {
	m := newModel(seed)
	d, err := flow.Compile(m.w)
	if err != nil {
		return nil, err
	}
	ref := refer(m)
	a, err := playModel(m, d, rand.New(rand.NewPCG(seed, 1)))
	if err == nil {
		err = ref.compare(a)
	}
	if *seedFlag >= 0 && a != nil {
		a.print(t)
	}
	if err != nil {
		return ref, err
	}
	saved, err := throughDocument(m.w, d)
	if err != nil {
		return ref, err
	}
	b, err := playModel(m, saved, rand.New(rand.NewPCG(seed, 2)))
	if err == nil {
		err = ref.compare(b)
	}
	if err == nil && !ref.raced && len(ref.may) == 0 && !maps.Equal(a.entries(), b.entries()) {
		err = fmt.Errorf("its log is another one in another order:\n%v\n%v", a.entries(), b.entries())
	}
	if err != nil {
		return ref, fmt.Errorf("read back from its document: %w", err)
	}
	return ref, nil
}

func playModel(m *model, d *flow.Definition, r *rand.Rand) (*modelWorld, error) {
	w, err := newWorld(m, d, r)
	if err == nil {
		w.lenient = m.w.Config.Timeout > 0
		err = w.drive()
	}
	return w, err
}

// throughDocument returns the flow that is read back from the document of another one, written as JSON and as YAML.
func throughDocument(w flow.Wiring, d *flow.Definition) (*flow.Definition, error) {
	var saved *flow.Definition
	for _, name := range []string{"model.json", "model.yaml"} {
		b, err := json.Marshal(w)
		if name == "model.yaml" {
			b, err = w.YAML()
		}
		if err != nil {
			return nil, err
		}
		back, err := flow.ParseWiring(b, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if saved, err = flow.Compile(back); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if saved.Hash() != d.Hash() {
			return nil, fmt.Errorf("the hash of %s is another one", name)
		}
	}
	return saved, nil
}

// print prints a run.
func (w *modelWorld) print(t *testing.T) {
	b, err := w.m.w.YAML()
	t.Logf("%s\n%v", b, err)
	for _, r := range w.log {
		t.Logf("%d %s %s %s %d %s %v %s", r.Seq, r.Type, r.Scope, r.Step, r.Iteration, r.Key, r.Causes, r.Data)
	}
	t.Logf("%s", w.stored.state)
}

// TestModelFindsMistakes: a check that finds nothing proves nothing, so it is shown some mistakes.
func TestModelFindsMistakes(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *modelWorld, s *flow.State){
		"outstanding":   func(_ *modelWorld, s *flow.State) { s.Open++ },
		"seq":           func(_ *modelWorld, s *flow.State) { s.Seq++ },
		"result":        func(_ *modelWorld, s *flow.State) { s.Result = 1 << 40 },
		"ignored":       func(_ *modelWorld, s *flow.State) { s.IgnoredCount++ },
		"lost dispatch": func(w *modelWorld, _ *flow.State) { clear(w.issued) },
		"iteration":     func(_ *modelWorld, s *flow.State) { s.Steps[0].Iters = nil },
	} {
		w, err := newWorld(newModel(7), compiled(t, newModel(7)), rand.New(rand.NewPCG(7, 1)))
		if err != nil {
			t.Fatal(err)
		}
		full, err := w.full()
		if err == nil && w.books.check(w, full) != nil {
			err = w.books.check(w, full)
		}
		if err != nil || len(full.Steps[0].Iters) == 0 {
			t.Fatalf("the model is no good start: %v", err)
		}
		w.books.out = &flow.Changes{}
		spoil(w, full)
		if w.books.check(w, full) == nil {
			t.Errorf("%s: a mistake is not found", name)
		}
	}
	seed := uint64(0)
	for ref := refer(newModel(seed)); ref.raced || ref.failed; ref = refer(newModel(seed)) {
		seed++
	}
	m := newModel(seed)
	w, err := playModel(m, compiled(t, m), rand.New(rand.NewPCG(seed, 1)))
	ref := refer(m)
	if err != nil || ref.raced || ref.failed || ref.compare(w) != nil {
		t.Fatalf("%v %+v", err, ref)
	}
	for i, r := range w.log {
		if r.Type == flow.RecordStepCompleted {
			w.log[i].Attempt++
			if ref.compare(w) == nil {
				t.Error("the reference finds nothing wrong with another attempt")
			}
			w.log[i].Attempt--
		}
	}
}

func compiled(t *testing.T, m *model) *flow.Definition {
	t.Helper()
	d, err := flow.Compile(m.w)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
