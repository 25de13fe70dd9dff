package adaptertest_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapter/memory"
)

// broken is a driver that breaks the contract in one way, and the check that has to notice.
type broken[A adaptertest.Driver] struct {
	how   string // what it does wrong
	check string // the name of the check that must fail
	open  func(b *memory.Backend) A
}

// harness describes a fresh backend in memory whose instances open returns.
func harness[A adaptertest.Driver](open func(b *memory.Backend) A) adaptertest.Harness[A] {
	return adaptertest.Harness[A]{
		Bubble: true,
		Quiet:  5 * time.Second,
		New: func(context.Context) (adaptertest.Backend[A], error) {
			b := memory.New(nil)
			return adaptertest.Backend[A]{
				Open: func(context.Context) (A, error) { return open(b), nil },
				Kill: func(a A) { any(a).(interface{ Kill() }).Kill() },
			}, nil
		},
	}
}

// catch proves for each broken driver that its check fails, and that the check passes on the driver as it should be: else
// it would prove nothing.
func catch[A adaptertest.Driver](t *testing.T, checks []adaptertest.Check[A], sound func(*memory.Backend) A, drivers []broken[A]) {
	for _, d := range drivers {
		t.Run(d.how, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(checks, func(c adaptertest.Check[A]) bool { return c.Name == d.check })
			if i < 0 {
				t.Fatalf("there is no check %q", d.check)
			}
			if err := adaptertest.Verify(t, harness(sound), checks[i]); err != nil {
				t.Fatalf("check %s fails on the sound driver: %v", d.check, err)
			}
			err := adaptertest.Verify(t, harness(d.open), checks[i])
			if err == nil {
				t.Fatalf("check %s does not notice", d.check)
			}
			t.Logf("%s: %v", d.check, err)
		})
	}
}

// TestNamesAreUnique guards what the tests of broken drivers rely on.
func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	unique(t, adaptertest.QueueChecks())
	unique(t, adaptertest.StreamChecks())
	unique(t, adaptertest.StoreChecks())
}

func unique[A adaptertest.Driver](t *testing.T, checks []adaptertest.Check[A]) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range checks {
		if seen[c.Name] {
			t.Errorf("two checks are named %q", c.Name)
		}
		seen[c.Name] = true
	}
}

// aMoment lets the others go on. It is called in a synctest bubble: the checks of broken adapters run on memory.
func aMoment() { time.Sleep(time.Millisecond) }
