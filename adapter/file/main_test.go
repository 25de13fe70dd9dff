package file_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nvent-go/nvent/internal/leakcheck"
)

// childEnv makes a process of this test a worker that is going to be killed: see work.
const childEnv = "NVENT_TEST_FILE_WORKER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := work(context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	leakcheck.Main(m)
}

// childBinary returns a test binary for children. They run without the race detector, which slows SQLite down so much that
// nothing would be tested but patience.
func childBinary(t *testing.T) string {
	t.Helper()
	if slow == 1 {
		return os.Args[0]
	}
	binary := filepath.Join(t.TempDir(), "child.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build children: %v\n%s", err, out)
	}
	return binary
}
