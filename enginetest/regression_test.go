package enginetest_test

import (
	"slices"
	"testing"

	"github.com/nvent-go/nvent/enginetest"
)

// scenario returns one of the scenarios.
func scenario(t *testing.T, name string) enginetest.Scenario {
	t.Helper()
	all := enginetest.Scenarios()
	i := slices.IndexFunc(all, func(s enginetest.Scenario) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("there is no scenario %q", name)
	}
	return all[i]
}

// crash crashes a scenario in one way at every call, and fails unless it ends as undisturbed.
func crash(t *testing.T, name string, modes ...enginetest.Mode) {
	t.Helper()
	t.Parallel()
	c := enginetest.Crash{Scenario: scenario(t, name), Variant: enginetest.Variant{Name: "shared", Modes: modes}}
	if _, err := c.Run(t, onMemory()); err != nil {
		t.Error(err)
	}
}

// TestPromise4_ExternalJobKeepsItsInput: a new process dispatched what its predecessor had committed, without the input that
// only the predecessor had at hand. A foreign worker cannot look into the log.
func TestPromise4_ExternalJobKeepsItsInput(t *testing.T) { crash(t, "external", enginetest.CutAfter) }

// TestPromise2_RestartHappensOnce: the commit of a restart was applied and its answer lost; when others had gone on from
// there, it was decided again, and the run restarted twice.
func TestPromise2_RestartHappensOnce(t *testing.T) { crash(t, "restart", enginetest.Slow) }
