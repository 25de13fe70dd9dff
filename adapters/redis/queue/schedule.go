package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/netresearch/go-cron"
)

// BullMQ's job schedulers: whoever takes the job of a scheduler adds the next one, or the schedule ends. Programs in Go do not
// make schedulers (nvent's triggers recur on any adapter), they keep those of Node going.

// cronParser reads patterns as BullMQ does: five fields, or six with seconds first.
var cronParser = cron.MustNewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// goOn adds the next job of a scheduler whose current job has been taken.
func (c *consumer) goOn(scheduler, producer string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	key := c.base + "repeat:" + scheduler
	stored, err := c.q.client.Do(ctx, c.q.client.B().Hgetall().Key(key).Build()).AsStrMap()
	if err != nil {
		return err
	}
	h := hash(stored)
	score, err := c.q.client.Do(ctx, c.q.client.B().Zscore().Key(c.base+"repeat").Member(scheduler).Build()).AsFloat64()
	if err != nil || len(h) == 0 {
		return nil // the scheduler was removed, and its last job is like any other
	}
	next, ok, err := nextRun(h, time.UnixMilli(int64(score)), time.Now())
	if err != nil || !ok {
		return err
	}
	opts, err := iterationOptions(h, scheduler, next)
	if err != nil {
		return err
	}
	return scheduleScript.Exec(ctx, c.q.client, []string{c.base + "meta"},
		[]string{c.base, scheduler, producer, strconv.FormatInt(next.UnixMilli(), 10), opts}).Error()
}

// nextRun returns when a scheduler runs after prev; false: not any more.
func nextRun(h hash, prev, now time.Time) (time.Time, bool, error) {
	if limit := h.int("limit"); limit > 0 && h.int("ic") >= limit {
		return time.Time{}, false, nil
	}
	var next time.Time
	if every := h.int("every"); every > 0 {
		at := prev.UnixMilli() + every
		if n := now.UnixMilli(); at < n { // late: back to the grid
			offset := h.int("offset")
			at = (n-offset)/every*every + offset + every
		}
		next = time.UnixMilli(at)
	} else {
		location := time.Local
		if tz := h["tz"]; tz != "" {
			var err error
			if location, err = time.LoadLocation(tz); err != nil {
				return time.Time{}, false, fmt.Errorf("time zone %q: %w", tz, err)
			}
		}
		schedule, err := cronParser.Parse(h["pattern"])
		if err != nil {
			return time.Time{}, false, fmt.Errorf("pattern %q: %w", h["pattern"], err)
		}
		if now.After(prev) {
			prev = now
		}
		if next = schedule.Next(prev.In(location)); next.IsZero() {
			return next, false, nil
		}
	}
	if end := h.int("endDate"); end > 0 && next.UnixMilli() > end {
		return next, false, nil
	}
	return next, true, nil
}

// iterationOptions returns the opts of a scheduler's job: those of its template, and what tells it apart.
func iterationOptions(h hash, scheduler string, next time.Time) (string, error) {
	o := map[string]any{}
	if h["opts"] != "" {
		if err := json.Unmarshal([]byte(h["opts"]), &o); err != nil {
			return "", fmt.Errorf("options of scheduler %q: %w", scheduler, err)
		}
	}
	repeat := map[string]any{"count": h.int("ic") + 1}
	for _, field := range []string{"limit", "every"} {
		if n := h.int(field); n > 0 {
			repeat[field] = n
		}
	}
	for _, field := range []string{"pattern", "tz"} {
		if h[field] != "" {
			repeat[field] = h[field]
		}
	}
	now, at := time.Now().UnixMilli(), next.UnixMilli()
	o["repeat"], o["repeatJobKey"] = repeat, scheduler
	o["jobId"], o["timestamp"], o["delay"] = fmt.Sprintf("repeat:%s:%d", scheduler, at), now, max(0, at-now)
	if _, ok := o["attempts"]; !ok {
		o["attempts"] = 0
	}
	if h["pattern"] != "" {
		o["prevMillis"] = at
	}
	raw, err := json.Marshal(o)
	return string(raw), err
}
