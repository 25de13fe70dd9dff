package queue

import (
	"encoding/json"
	"testing"
	"time"
	_ "time/tzdata" // a machine need not have a database of zones

	"github.com/nvent-go/nvent/adapter"
)

func TestKeepRule(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		option string
		age    time.Duration
		count  int
		want   rule
	}{
		{"", time.Hour, 1000, rule{3_600_000, 1000}},
		{"", -1, 1000, rule{-1, 0}},
		{"", time.Hour, -1, rule{-1, 0}},
		{"true", time.Hour, 1000, rule{-1, 0}},
		{"false", time.Hour, 1000, rule{-1, -1}},
		{"7", time.Hour, 1000, rule{-1, 7}},
		{"0", time.Hour, 1000, rule{-1, 0}},
		{"-1", time.Hour, 1000, rule{-1, -1}},
		{`{"age":5}`, time.Hour, 1000, rule{5000, -1}},
		{`{"count":5}`, time.Hour, 1000, rule{3_600_000, 5}},
		{`{"age":5,"count":6}`, time.Hour, 1000, rule{5000, 6}},
		{`{"count":5}`, -1, 1000, rule{-1, 5}},
		{`"nonsense"`, time.Hour, 1000, rule{3_600_000, 1000}},
	} {
		if got := keepRule(json.RawMessage(tt.option), tt.age, tt.count); got != tt.want {
			t.Errorf("option %q with defaults %v and %d: %v, want %v", tt.option, tt.age, tt.count, got, tt.want)
		}
	}
}

func TestForeignJobs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		opts string
		want adapter.NewJob
	}{
		{``, adapter.NewJob{Redeliver: 1}},
		{`{"attempts":0}`, adapter.NewJob{Redeliver: 1}},
		{`{"attempts":3,"backoff":500}`, adapter.NewJob{Redeliver: 1, Attempts: 3,
			Backoff: adapter.Backoff{Kind: adapter.BackoffFixed, Base: 500 * time.Millisecond}}},
		{`{"backoff":{"type":"exponential","delay":100,"jitter":0.5}}`, adapter.NewJob{Redeliver: 1,
			Backoff: adapter.Backoff{Kind: adapter.BackoffExponential, Base: 100 * time.Millisecond, Jitter: 0.5}}},
		{`{"backoff":{"type":"mine"}}`, adapter.NewJob{Redeliver: 1, Backoff: adapter.Backoff{Kind: "mine"}}},
		{`{"nr":4,"nl":2000}`, adapter.NewJob{Redeliver: 4, Lease: 2 * time.Second}},
	} {
		j, _ := hash{"opts": tt.opts}.job("q", "id")
		got := adapter.NewJob{Redeliver: j.Redeliver, Attempts: j.Attempts, Backoff: j.Backoff, Lease: j.Lease}
		if got.Redeliver != tt.want.Redeliver || got.Attempts != tt.want.Attempts || got.Backoff != tt.want.Backoff || got.Lease != tt.want.Lease {
			t.Errorf("opts %s: %+v, want %+v", tt.opts, got, tt.want)
		}
	}
}

func TestNextRun(t *testing.T) {
	t.Parallel()
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	at := func(ms int64) time.Time { return time.UnixMilli(ms) }
	spring := time.Date(2026, 3, 29, 1, 30, 0, 0, oslo) // the hour from 2 to 3 does not exist
	for name, tt := range map[string]struct {
		h         hash
		prev, now time.Time
		want      time.Time // zero: no more
	}{
		"every":               {hash{"every": "500"}, at(1000), at(1010), at(1500)},
		"every, late":         {hash{"every": "500", "offset": "200"}, at(1200), at(3210), at(3700)},
		"limit reached":       {hash{"every": "500", "limit": "5", "ic": "5"}, at(1000), at(1010), time.Time{}},
		"limit not reached":   {hash{"every": "500", "limit": "5", "ic": "4"}, at(1000), at(1010), at(1500)},
		"end":                 {hash{"every": "500", "endDate": "1400"}, at(1000), at(1010), time.Time{}},
		"seconds":             {hash{"pattern": "*/2 * * * * *", "tz": "UTC"}, at(2000), at(2010), at(4000)},
		"five fields":         {hash{"pattern": "*/5 * * * *", "tz": "UTC"}, at(0), at(10), at(300_000)},
		"daylight saving":     {hash{"pattern": "0 0 4 * * *", "tz": "Europe/Oslo"}, spring, spring, time.Date(2026, 3, 29, 4, 0, 0, 0, oslo)},
		"pattern, not before": {hash{"pattern": "0 * * * * *", "tz": "UTC"}, at(60_000), at(59_000), at(120_000)},
	} {
		got, ok, err := nextRun(tt.h, tt.prev, tt.now)
		if err != nil || ok == tt.want.IsZero() || ok && !got.Equal(tt.want) {
			t.Errorf("%s: %v, %v, %v; want %v", name, got, ok, err, tt.want)
		}
	}
	for _, h := range []hash{{"pattern": "nonsense"}, {"pattern": "* * * * *", "tz": "Nowhere"}} {
		if _, _, err := nextRun(h, at(0), at(0)); err == nil {
			t.Errorf("scheduler %v has a next run", h)
		}
	}
}
