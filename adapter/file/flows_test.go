package file_test

import (
	"context"
	"os"
	"path/filepath"
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

func TestCrashesOfFlows(t *testing.T) { enginetest.TestCrashes(t, trios(t), enginetest.Scenarios()...) }
