package file_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nvent-go/nvent/adapter/file"
	"github.com/nvent-go/nvent/enginetest"
)

// trios describes a directory for each check, that each instance opens anew, as a process of its own would.
func trios(t testing.TB) enginetest.Harness {
	return enginetest.Harness{
		Lease: shortLease,
		New: func(context.Context) (enginetest.Backend, error) {
			dir := t.TempDir()
			return enginetest.Backend{
				Open: func(ctx context.Context) (enginetest.Trio, error) {
					b, err := file.Open(ctx, &file.Options{DataDir: filepath.Join(dir, "data"), DefaultLease: shortLease, Logger: logger(t)})
					if err != nil {
						return enginetest.Trio{}, err
					}
					return enginetest.Trio{Queue: b.Queue(), Stream: b.Stream(), Store: b.Store()}, nil
				},
				Kill: func(t enginetest.Trio) {
					t.Queue.(*file.Queue).Kill()
					t.Stream.(*file.Stream).Kill()
				},
				Close: func() error { return os.RemoveAll(dir) }, // there are many
			}, nil
		},
	}
}

func TestWholeFlows(t *testing.T) { enginetest.Test(t, trios(t)) }

// TestCrashesOfFlows cuts off an instance at every call, one kind of cut for each: what is left to real time takes long, so
// the rest of the scenarios and modes is for memory, and for processes that are killed.
func TestCrashesOfFlows(t *testing.T) {
	t.Parallel()
	h := trios(t)
	i := slices.IndexFunc(enginetest.Scenarios(), func(s enginetest.Scenario) bool { return s.Name == "fan-in" })
	c := enginetest.Crash{Scenario: enginetest.Scenarios()[i], Variant: enginetest.Variant{Name: "both-alive", Both: true,
		Modes: []enginetest.Mode{enginetest.CutAfter}}}
	r, err := c.Run(t, h)
	if err != nil {
		t.Error(err)
	}
	if t.Logf("%d faults: %v", r.Faults, r.Hit); r.Faults < 20 {
		t.Errorf("only %d faults happened", r.Faults)
	}
}
