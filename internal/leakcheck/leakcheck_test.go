package leakcheck

import (
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func blocked(release <-chan struct{}) { <-release }

// The tests of this file look at all goroutines of the process: none of them may run in parallel.

func TestCheckNamesALeakAndSeesItEnd(t *testing.T) {
	if err := Check(time.Second); err != nil {
		t.Fatalf("before the leak: %v", err)
	}
	release := make(chan struct{})
	go blocked(release)
	err := Check(20 * time.Millisecond)
	if err == nil {
		t.Fatal("Check returned nil while a goroutine is blocked")
	}
	for _, want := range []string{"1 goroutines", "leakcheck.blocked", "leakcheck_test.go"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error has no %q:\n%v", want, err)
		}
	}
	close(release)
	if err := Check(time.Second); err != nil {
		t.Errorf("after the leak has ended: %v", err)
	}
}

func TestCheckWaitsForWhatIsAboutToEnd(t *testing.T) {
	release := make(chan struct{})
	go blocked(release)
	time.AfterFunc(20*time.Millisecond, func() { close(release) })
	if err := Check(5 * time.Second); err != nil {
		t.Error(err)
	}
}

func TestRunReportsByExitCode(t *testing.T) {
	release := make(chan struct{})
	go blocked(release)
	if code := run(func() int { return 7 }, 0); code != 7 {
		t.Errorf("failed tests: code %d, want theirs, 7", code)
	}
	if code := run(func() int { return 0 }, 0); code != 1 {
		t.Errorf("passed tests and a leak: code %d, want 1", code)
	}
	close(release)
	if code := run(func() int { return 0 }, time.Second); code != 0 {
		t.Errorf("passed tests and no leak: code %d, want 0", code)
	}
}
