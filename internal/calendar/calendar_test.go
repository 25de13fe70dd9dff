package calendar

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestCronFollowsTheClocksOfItsZoneByRule(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, cron, zone, after string
		want                    []string // in the zone
	}{
		{"a time that the clocks skip fires at the first instant after the gap", "30 2 * * *", "Europe/Oslo", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{"times that are skipped together fire together", "0,20,40 2 * * *", "Europe/Oslo", "2026-03-29T00:00:00Z",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"}},
		{"a time that the clocks show twice fires once, the first time", "30 2 * * *", "Europe/Oslo", "2026-10-24T12:00:00Z",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"the first moment that is shown twice", "0 2 * * *", "Europe/Oslo", "2026-10-24T12:00:00Z",
			[]string{"2026-10-25T02:00:00+02:00", "2026-10-26T02:00:00+01:00"}},
		{"the moment at which the clocks jump back is not shown twice", "0 3 * * *", "Europe/Oslo", "2026-10-24T12:00:00Z",
			[]string{"2026-10-25T03:00:00+01:00", "2026-10-26T03:00:00+01:00"}},
		{"every hour follows the clocks forward", "0 * * * *", "Europe/Oslo", "2026-03-28T23:30:00Z",
			[]string{"2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"}},
		{"every hour follows the clocks back", "0 * * * *", "Europe/Oslo", "2026-10-24T23:30:00Z",
			[]string{"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"}},
		{"every 20 minutes stays every 20 minutes", "*/20 * * * *", "America/New_York", "2026-11-01T05:30:00Z",
			[]string{"2026-11-01T01:40:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T01:20:00-05:00"}},
		{"half an hour is skipped on Lord Howe", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z",
			[]string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
		{"what Lord Howe does not skip", "30 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z",
			[]string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:30:00+11:00"}},
		{"half an hour is shown twice on Lord Howe", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z",
			[]string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}},
		{"every 15 minutes on Lord Howe", "*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:40:00Z",
			[]string{"2026-04-05T01:45:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T01:45:00+10:30", "2026-04-05T02:00:00+10:30"}},
		{"midnight that is skipped", "0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z",
			[]string{"2026-09-06T01:00:00-03:00", "2026-09-07T00:00:00-03:00"}},
		{"midnight that is shown twice", "0 0 * * *", "America/Havana", "2026-10-31T12:00:00Z",
			[]string{"2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00"}},
		{"a day that was left out", "0 9 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z",
			[]string{"2011-12-31T00:00:00+14:00", "2012-12-30T09:00:00+14:00"}},
		{"no jumps", "30 2 * * *", "", "2026-03-28T12:00:00Z", []string{"2026-03-29T02:30:00Z", "2026-03-30T02:30:00Z"}},
		{"an offset of 45 minutes", "0 3 * * *", "Asia/Kathmandu", "2026-03-28T00:00:00Z",
			[]string{"2026-03-29T03:00:00+05:45"}},
		{"either the day of the month or of the week", "0 0 13 * FRI", "UTC", "2026-02-10T00:00:00Z",
			[]string{"2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z"}},
		{"Thursday has an H", "0 3 * * THU", "UTC", "2026-11-25T00:00:00Z", []string{"2026-11-26T03:00:00Z"}},
		{"seconds", "*/30 * * * * *", "UTC", "2026-11-25T00:00:00.5Z", []string{"2026-11-25T00:00:30Z", "2026-11-25T00:01:00Z"}},
		{"leap days over a century without one", "0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
		{"the last day of the month", "0 12 L * *", "UTC", "2026-02-01T00:00:00Z", []string{"2026-02-28T12:00:00Z", "2026-03-31T12:00:00Z"}},
		{"the third Friday", "0 12 * * FRI#3", "UTC", "2026-11-01T00:00:00Z", []string{"2026-11-20T12:00:00Z", "2026-12-18T12:00:00Z"}},
		{"@daily", "@daily", "Asia/Tokyo", "2026-11-25T00:00:00Z", []string{"2026-11-26T00:00:00+09:00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cal, err := New(c.cron, c.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339Nano, c.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				at = cal.Next(at)
				if got := at.In(cal.zone).Format(time.RFC3339); got != want {
					t.Errorf("tick %s, want %s", got, want)
				}
			}
		})
	}
}

// TestCronAgreesWithTheRuleSpelledOut compares Calendar.Next with the rule as it is written: go through the times on the wall, and
// look for the instants at which the clocks show each.
func TestCronAgreesWithTheRuleSpelledOut(t *testing.T) {
	t.Parallel()
	zones := []string{"Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca",
		"Pacific/Apia", "America/Havana", "Asia/Tehran", "Antarctica/Troll", "Europe/Dublin", "Asia/Kolkata"}
	crons := []string{"*/10 1-3 * * *", "*/7 * * * *", "0 0 * * *", "15,45 0,1,2,3 * * *"}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	jumps := 0
	for _, zone := range zones {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			// A few days around a jump of the clocks, if there is one to come.
			from := time.Date(1970+r.IntN(60), time.Month(1+r.IntN(12)), 1, 0, 0, 0, 0, time.UTC)
			if _, end := from.In(loc).ZoneBounds(); !end.IsZero() {
				from = end.Add(-time.Duration(r.IntN(40*60)) * time.Minute).UTC().Truncate(time.Minute)
				jumps++
			}
			to := from.Add(48 * time.Hour)
			for _, cron := range crons {
				cal, err := New(cron, zone)
				if err != nil {
					t.Fatal(err)
				}
				want := spelledOut(cal, from, to)
				at := from
				for i, w := range want {
					if at = cal.Next(at); !at.Equal(w) {
						t.Fatalf("seed %d: %q in %s after %v: tick %d is %v, want %v", seed, cron, zone, from, i, at.In(loc), w.In(loc))
					}
				}
			}
		}
	}
	if jumps < 10 {
		t.Errorf("only %d jumps were looked at", jumps)
	}
}

// spelledOut returns the ticks in (from, to] of an expression without seconds. It goes through the minutes that the clocks
// show, one by one.
func spelledOut(c *Calendar, from, to time.Time) []time.Time {
	seen := map[string]bool{} // times of the wall that have been shown
	var ticks []time.Time
	begin := from.Add(-26 * time.Hour)
	last := begin.Add(-time.Minute)
	for at := begin; !at.After(to); at = at.Add(time.Minute) {
		wall, before := at.In(c.zone), last.In(c.zone)
		due := false
		// What lies between the last minute and this one on the wall was skipped. Not so if the clocks went back.
		if !c.hourly {
			for w := wallOf(before).Add(time.Minute); w.Before(wallOf(wall)); w = w.Add(time.Minute) {
				due = due || matches(c, w)
			}
		}
		key := wallOf(wall).Format(time.RFC3339)
		due = due || matches(c, wallOf(wall)) && (c.hourly || !seen[key])
		seen[key] = true
		if due && at.After(from) {
			ticks = append(ticks, at)
		}
		last = at
	}
	return ticks
}

func wallOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

func matches(c *Calendar, wall time.Time) bool {
	return c.fields.Next(wall.Add(-time.Second)).Equal(wall)
}

func FuzzCron(f *testing.F) {
	for _, s := range []string{"0 3 * * *", "@daily", "*/5 * * * *", "0 0 29 2 *", "0 0 31 2 *", "TZ=", "* * * * * *", "0 0 L * *", "0 0 15W * FRI#5",
		"60 * * * *", "1-5/2,7 * * JAN-DEC MON", "\x00", "0 3 * * THU"} {
		f.Add(s, "Europe/Oslo", int64(1_780_000_000))
	}
	f.Fuzz(func(t *testing.T, expression, zone string, at int64) {
		if strings.Contains(zone, "..") || at < 0 || at > 4_000_000_000 {
			return
		}
		cal, err := New(expression, zone)
		if err != nil {
			return
		}
		after := time.Unix(at, 0)
		for range 3 {
			next := cal.Next(after)
			if next.IsZero() {
				return
			}
			if !next.After(after) {
				t.Fatalf("%s in %s: after %v comes %v", strconv.Quote(expression), zone, after, next)
			}
			after = next
		}
	})
}
