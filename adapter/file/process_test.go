package file_test

import (
	"bytes"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// dirEnv names the directory that a child process of a test shares with others.
const dirEnv = "NVENT_TEST_FILE_DIR"

// manyInstances are the checks of the suites in which instances meet.
const manyInstances = "Conformance$/^(consume|lease|settle|concurrency|drain|pause|id|group|redelivery|fanout|exclusive|order|place|" +
	"race|atomic|conflict|kv|log)$"

// TestConformanceInFourProcesses runs the suites in four processes at once that share a directory. Their checks do not meet,
// but their transactions, locks, notifications and sweeps do.
func TestConformanceInFourProcesses(t *testing.T) {
	if os.Getenv(dirEnv) != "" {
		return // this is one of the four processes
	}
	dir, binary := t.TempDir(), childBinary(t)
	var processes sync.WaitGroup
	for range 4 {
		processes.Go(func() {
			cmd := exec.CommandContext(t.Context(), binary, "-test.run="+manyInstances, "-test.parallel=4", "-test.timeout=5m")
			cmd.Env = append(os.Environ(), dirEnv+"="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("one of four processes: %v\n%s", err, out)
			} else if !bytes.Contains(out, []byte("PASS")) {
				t.Errorf("one of four processes ran no checks:\n%s", out)
			}
		})
	}
	processes.Wait()
	checkDir(t, dir)
}
