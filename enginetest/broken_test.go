package enginetest_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/enginetest"
)

// broken makes a trio that breaks the contract in one way.
type broken func(t enginetest.Trio) enginetest.Trio

// over describes a fresh backend in memory whose trios are broken.
func over(breaks broken) enginetest.Harness {
	return enginetest.Harness{
		Bubble: true,
		New: func(context.Context) (enginetest.Backend, error) {
			b := memory.New(nil)
			kills := map[enginetest.Trio]func(){}
			return enginetest.Backend{
				Open: func(context.Context) (enginetest.Trio, error) {
					q, s := b.Queue(), b.Stream()
					t := breaks(enginetest.Trio{Queue: q, Stream: s, Store: b.Store()})
					kills[t] = func() { q.Kill(); s.Kill() }
					return t, nil
				},
				Kill: func(t enginetest.Trio) { kills[t]() },
			}, nil
		},
	}
}

// TestBrokenTriosAreCaught proves for each broken trio that a check fails on it. On a sound trio all checks pass: see
// TestWholeFlowsOnMemory.
func TestBrokenTriosAreCaught(t *testing.T) {
	checks := enginetest.Checks()
	for _, b := range []struct {
		how, check string
		breaks     broken
	}{
		{"loses a commit now and then", "flow/many-runs-at-once", store(losesCommits)},
		{"loses every record of a commit", "flow/steps-run-in-sequence", store(losesRecords)},
		{"loses the last record of a commit", "join/any-fires-once", store(losesLastRecord)},
		{"writes records twice", "flow/steps-run-in-sequence", store(writesTwice)},
		{"ignores versions", "control/start-key-starts-one-run", store(ignoresVersions)},
		{"swallows conflicts", "control/start-key-starts-one-run", store(swallowsConflicts)},
		{"reports conflicts that are none", "control/start-key-starts-one-run", store(inventsConflicts)},
		{"commits half", "failure/failed-attempt-leaves-nothing", store(commitsHalf)},
		{"lets nothing expire", "state/value-expires", store(neverExpires)},
		{"deletes nothing", "state/cleanup-immediate-deletes-it", store(deletesNothing)},
		{"rounds numbers", "flow/values-arrive-as-they-were-sent", store(roundsNumbers)},
		{"finds no runs that are due", "external/result-of-a-foreign-worker-counts", store(findsNothingDue)},
		{"does not look at labels", "flow/labels-find-runs", store(ignoresWhere)},
		{"reads logs from the start", "events/resumed-by-seq", store(readsFromStart)},
		{"forgets every job", "flow/steps-run-in-sequence", queue(forgetsJobs)},
		{"delivers every job twice", "fleet/starting-touches-nothing", queue(deliversTwice)},
		{"delivers again while the handler runs", "fleet/starting-touches-nothing", queue(losesLeases)},
		{"never gives up on the dead", "fleet/survivor-takes-over", queue(neverGivesUp)},
		{"cannot cancel", "failure/drops-what-is-open", queue(cannotCancel)},
		{"ignores delays", "failure/retry-waits-for-its-delay", queue(ignoresDelays)},
		{"delays everything", "failure/retry-waits-for-its-delay", queue(delaysAll)},
		{"drops headers", "external/result-of-a-foreign-worker-counts", queue(dropsHeaders)},
		{"loses results", "external/result-of-a-foreign-worker-counts", queue(losesResults)},
		{"takes failures for success", "external/failure-of-a-foreign-worker-counts", queue(failsNothing)},
	} {
		t.Run(b.how, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(checks, func(c enginetest.Check) bool { return c.Name == b.check })
			if i < 0 {
				t.Fatalf("there is no check %q", b.check)
			}
			err := enginetest.Verify(t, over(b.breaks), checks[i])
			if err == nil {
				t.Fatalf("check %s does not notice", b.check)
			}
			said, _, _ := strings.Cut(err.Error(), "\nthe instances logged")
			t.Logf("%s: %s", b.check, said)
		})
	}
}

// TestCrashesCatchBrokenTrios: trios that are fine until something goes wrong.
func TestCrashesCatchBrokenTrios(t *testing.T) {
	cuts := []enginetest.Mode{enginetest.CutBefore, enginetest.CutAfter}
	for _, b := range []struct {
		how, scenario string
		variant       enginetest.Variant
		breaks        broken
	}{
		{"says that forgotten jobs wait", "fan-in", enginetest.Variant{Forgets: true, Modes: cuts}, queue(inventsJobs)},
		{"never gives up on the dead", "fan-in", enginetest.Variant{Modes: cuts}, queue(neverGivesUp)},
		{"keeps heartbeats for ever", "fan-in", enginetest.Variant{Local: true, Modes: cuts}, store(keepsKeys)},
		{"finds no runs that are due", "fan-in", enginetest.Variant{Forgets: true, Modes: cuts}, store(findsNothingDue)},
		{"ignores versions", "fan-in", enginetest.Variant{Both: true, Modes: []enginetest.Mode{enginetest.Late}}, store(ignoresVersions)},
	} {
		t.Run(b.how, func(t *testing.T) {
			t.Parallel()
			var err error
			for try := 0; err == nil; try++ { // what two instances do at the same time is not the same every time
				if try == 20 {
					t.Fatalf("scenario %s does not notice", b.scenario)
				}
				_, err = enginetest.Crash{Scenario: scenario(t, b.scenario), Variant: b.variant}.Run(t, over(b.breaks))
			}
			said, _, _ := strings.Cut(err.Error(), "\nthe instances logged")
			t.Logf("%s: %s", b.scenario, said)
		})
	}
}

func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range enginetest.Checks() {
		if seen[c.Name] {
			t.Errorf("two checks are named %q", c.Name)
		}
		seen[c.Name] = true
	}
	for _, s := range enginetest.Scenarios() {
		if seen[s.Name] {
			t.Errorf("two scenarios are named %q", s.Name)
		}
		seen[s.Name] = true
	}
}
