package trigger

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/nvent-go/nvent/flow"
)

func schedule(t testing.TB, c Config) *Trigger {
	t.Helper()
	tr, err := Compile(Definition{Name: "t", Type: Schedule, Config: c})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

var day = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

func TestCatchUpDecidesAboutMissedTicks(t *testing.T) {
	t.Parallel()
	at := func(h, m int) time.Time { return day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute) }
	for _, c := range []struct {
		name      string
		config    Config
		last, now time.Time
		fire      []time.Time
		skipped   int
		next      time.Time
	}{
		{"nothing is due", Config{Cron: "0 * * * *"}, at(3, 0), at(3, 59), nil, 0, at(4, 0)},
		{"a tick on time", Config{Cron: "0 * * * *"}, at(3, 0), at(4, 0), []time.Time{at(4, 0)}, 0, at(5, 0)},
		{"last", Config{Cron: "0 * * * *"}, at(3, 0), at(9, 30), []time.Time{at(9, 0)}, 5, at(10, 0)},
		{"none, late", Config{Cron: "0 * * * *", CatchUp: CatchUpNone}, at(3, 0), at(9, 30), nil, 6, at(10, 0)},
		{"none, within a minute", Config{Cron: "0 * * * *", CatchUp: CatchUpNone}, at(3, 0), at(9, 1), []time.Time{at(9, 0)}, 5, at(10, 0)},
		{"all", Config{Cron: "0 * * * *", CatchUp: CatchUpAll}, at(3, 0), at(6, 30), []time.Time{at(4, 0), at(5, 0), at(6, 0)}, 0, at(7, 0)},
		{"all, the last two", Config{Cron: "0 * * * *", CatchUp: CatchUpAll, Limit: 2}, at(3, 0), at(9, 30),
			[]time.Time{at(8, 0), at(9, 0)}, 4, at(10, 0)},
		{"an interval", Config{Interval: flow.Duration(7 * time.Hour)}, day, at(15, 0), []time.Time{at(14, 0)}, 1, at(21, 0)},
		{"an interval from a time", Config{Interval: flow.Duration(24 * time.Hour), From: "2026-01-01T06:00:00Z"}, day, at(7, 0),
			[]time.Time{at(6, 0)}, 0, at(30, 0)},
		{"a time to come", Config{At: "2026-11-25T18:00:00+01:00"}, day, at(16, 59), nil, 0, at(17, 0)},
		{"a time that has come", Config{At: "2026-11-25T18:00:00+01:00"}, day, at(18, 0), []time.Time{at(17, 0)}, 0, time.Time{}},
		{"a time that is over", Config{At: "2026-11-25T18:00:00+01:00"}, at(17, 0), at(18, 0), nil, 0, time.Time{}},
		{"a delay", Config{Delay: flow.Duration(time.Hour)}, day, at(2, 0), []time.Time{at(1, 0)}, 0, time.Time{}},
		{"the clock went back", Config{Cron: "0 * * * *"}, at(3, 0), at(1, 0), nil, 0, at(4, 0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := schedule(t, c.config).Due(c.last, day, c.now)
			if !slices.EqualFunc(d.Fire, c.fire, time.Time.Equal) || d.Skipped != c.skipped || !d.Next.Equal(c.next) {
				t.Errorf("fire %v, skipped %d, next %v; want %v, %d, %v", d.Fire, d.Skipped, d.Next, c.fire, c.skipped, c.next)
			}
		})
	}
}

func TestYearsOfMissedTicksCostLittle(t *testing.T) {
	t.Parallel()
	made := day.AddDate(-20, 0, 0)
	for _, c := range []Config{{Cron: "* * * * * *"}, {Cron: "* * * 1 1 *"}, {Interval: flow.Duration(time.Second), CatchUp: CatchUpAll}} {
		d := schedule(t, c).Due(made, made, day)
		if len(d.Fire) == 0 || d.Skipped != maxCounted-1 && d.Skipped != maxCounted {
			t.Errorf("%+v: fire %v, skipped %d", c, d.Fire, d.Skipped)
		}
	}
}

func TestManyTicksComeInBatches(t *testing.T) {
	t.Parallel()
	tr := schedule(t, Config{Cron: "* * * * *", CatchUp: CatchUpAll, Limit: 40})
	now := day.Add(24 * time.Hour)
	var fired []time.Time
	last, skipped := day, 0
	for {
		d := tr.Due(last, day, now)
		if len(d.Fire) == 0 {
			break
		}
		fired = append(fired, d.Fire...)
		last = d.Last
		skipped += d.Skipped
	}
	if len(fired) != 40 || !fired[0].Equal(now.Add(-39*time.Minute)) || !fired[39].Equal(now) || skipped != maxCounted-1 {
		t.Errorf("fired %d from %v to %v, skipped %d", len(fired), fired[0], fired[len(fired)-1], skipped)
	}
}

// TestDueAgreesWithEveryTickSpelledOut walks through time in random steps and compares with all ticks, one by one.
func TestDueAgreesWithEveryTickSpelledOut(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 2))
	configs := []Config{
		{Cron: "*/7 * * * *"}, {Cron: "0 3 * * *", Zone: "Australia/Lord_Howe"}, {Cron: "15 1-3 * * *", Zone: "Europe/Oslo"},
		{Interval: flow.Duration(11 * time.Minute)}, {Interval: flow.Duration(90 * time.Second), From: "2030-01-01T00:00:00Z"},
		{At: "2026-11-26T00:00:00Z"}, {Delay: flow.Duration(3 * time.Hour)},
	}
	for range 200 {
		c := configs[r.IntN(len(configs))]
		c.CatchUp = []string{"", CatchUpNone, CatchUpLast, CatchUpAll}[r.IntN(4)]
		if c.CatchUp == CatchUpAll && r.IntN(2) == 0 {
			c.Limit = 1 + r.IntN(10)
		}
		tr := schedule(t, c)
		made := day.Add(time.Duration(r.Int64N(int64(1000 * time.Hour)))).Truncate(time.Millisecond)
		last, now := made, made
		for range 10 {
			now = now.Add(time.Duration(r.Int64N(int64(time.Minute) << r.IntN(10)))).Truncate(time.Millisecond)
			var all []time.Time
			for tick := tr.next(last, made); !tick.IsZero() && !tick.After(now); tick = tr.next(tick, made) {
				all = append(all, tick)
			}
			want := all
			switch {
			case len(all) == 0:
			case c.CatchUp == CatchUpAll:
				want = all[max(0, len(all)-tr.limit):]
			case c.CatchUp == CatchUpNone && now.Sub(all[len(all)-1]) > Grace:
				want = nil
			default:
				want = all[len(all)-1:]
			}
			left := len(all) - len(want)
			want = want[:min(len(want), MaxBatch)]
			d := tr.Due(last, made, now)
			if !slices.EqualFunc(d.Fire, want, time.Time.Equal) || d.Skipped != min(left, maxCounted) {
				t.Fatalf("seed %d: %+v made %v, last %v, now %v: fire %v, skipped %d; want %v, %d", seed, c, made, last, now,
					d.Fire, d.Skipped, want, left)
			}
			if len(all) > 0 && d.Last.Before(all[0]) || d.Last.After(now) && len(all) > 0 {
				t.Fatalf("seed %d: last is %v after ticks %v", seed, d.Last, all)
			}
			if !d.Next.IsZero() && d.Next.Before(now) && len(d.Fire) < MaxBatch {
				t.Fatalf("seed %d: next is %v, before %v", seed, d.Next, now)
			}
			last = d.Last
		}
	}
}
