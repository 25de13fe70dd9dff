package enginetest_test

import (
	"flag"
	"testing"

	"github.com/nvent-go/nvent/enginetest"
)

var storms = flag.Uint64("storms", 8, "storms for each scenario and variant")

// TestPromise4_NoStormLosesARun lets many faults happen in one run.
func TestPromise4_NoStormLosesARun(t *testing.T) {
	for _, s := range enginetest.Scenarios() {
		for _, v := range []enginetest.Variant{
			{Name: "forgetful", Forgets: true}, {Name: "both-alive-skewed", Both: true, Skewed: true},
			{Name: "local-queue", Local: true, Both: true},
		} {
			t.Run(s.Name+"/"+v.Name, func(t *testing.T) {
				t.Parallel()
				total := 0
				for seed := range *storms {
					n, err := enginetest.Storm{Scenario: s, Variant: v, Seed: seed}.Run(t, onMemory())
					if err != nil {
						t.Fatal(err)
					}
					total += n
				}
				t.Logf("%d faults", total)
			})
		}
	}
}
