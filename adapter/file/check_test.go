package file_test

import (
	"testing"

	"github.com/nvent-go/nvent/adapter/file"
)

// checkDir fails unless a directory passes file.Check.
func checkDir(t testing.TB, dir string) file.Report {
	t.Helper()
	r, err := file.Check(t.Context(), dir)
	for _, p := range r.Problems {
		t.Errorf("check %s: %s", dir, p)
	}
	if err != nil {
		t.Errorf("check: %v", err)
	}
	return r
}
