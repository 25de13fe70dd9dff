package interop_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Scenario 13: Node's schedulers go on when only Go works, and when both do.
func TestSchedulers(t *testing.T) {
	each(t, func(t *testing.T, b *both) {
		template := args{"name": "tick", "data": args{"a": 1}, "opts": args{"attempts": 2}}
		b.n.call("upsertScheduler", args{"queue": b.name, "scheduler": "steady", "repeat": args{"every": 300}, "template": template})
		b.n.call("upsertScheduler", args{"queue": b.name, "scheduler": "clock", "template": template,
			"repeat": args{"pattern": "*/1 * * * * *", "tz": "Europe/Oslo", "limit": 3}})
		var r runs
		stop := b.goWorker(b.q, 2, &r)
		times := func(scheduler string) []int {
			var list []int
			for _, j := range r.all() {
				if rest, ok := strings.CutPrefix(j.ID, "repeat:"+scheduler+":"); ok {
					ms, err := strconv.Atoi(rest)
					if err != nil {
						t.Fatal(err)
					}
					list = append(list, ms)
				}
			}
			return list
		}
		until(t, "both have ticked in Go", func() bool { return len(times("steady")) >= 8 && len(times("clock")) == 3 })
		b.n.call("worker", args{"queue": b.name})
		until(t, "Node ticks, too", func() bool { return len(b.n.seen("processed")) >= 2 })
		stop()
		for scheduler, period := range map[string]int{"steady": 300, "clock": 1000} {
			list := times(scheduler)
			slices.Sort(list)
			for i := 1; i < len(list); i++ {
				if d := list[i] - list[i-1]; d == 0 || d%period != 0 {
					t.Errorf("%s ticks at %v: %d ms apart", scheduler, list, d)
				}
			}
		}
		if n := len(times("clock")); n != 3 {
			t.Errorf("a scheduler with limit 3 ran %d times", n)
		}
	})
}
