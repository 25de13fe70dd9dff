package enginetest

import (
	"context"
	"fmt"
	"strings"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

func eventChecks() []Check {
	return []Check{
		{"events/followed-live-on-another-instance", followedLive},
		{"events/resumed-by-seq", resumedBySeq},
		{"events/log-lines-and-state-are-recorded", linesRecorded},
	}
}

// gated is a flow of two steps of which the second waits for a gate.
func gated(gate <-chan struct{}) *flow.Flow[int, int] {
	f := flow.New[int, int]("gated")
	one := flow.Start(f, "one", pass[int])
	flow.Returns(f, flow.On(f, "two", one.Completed(), func(ctx context.Context, n int) (int, error) {
		select {
		case <-gate:
			return n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}))
	return f
}

func followedLive(ctx context.Context, w *world) error {
	gate, seen := make(chan struct{}), make(chan struct{})
	i, err := w.start(ctx, gated(gate))
	if err != nil {
		return err
	}
	other, err := w.start(ctx)
	if err != nil {
		return err
	}
	run, err := i.StartFlow(ctx, "gated", 1)
	if err != nil {
		return err
	}
	var followed []adapter.Record
	done := w.task(func() error {
		for r, err := range other.RunEvents(ctx, run.ID(), 0) {
			if err != nil {
				return err
			}
			if followed = append(followed, r); r.Type == flow.RecordStepCompleted && r.Step == "one" {
				close(seen)
			}
		}
		return nil
	})
	if err := w.signal(ctx, "the follower sees the first step while the second waits", seen); err != nil {
		return err
	}
	close(gate)
	if err := <-done; err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	p, err := w.finish(ctx, i, run.ID())
	if err != nil {
		return err
	}
	if len(followed) != len(p.log) {
		return fmt.Errorf("the follower saw %d records of %d", len(followed), len(p.log))
	}
	return CheckLog(followed)
}

func resumedBySeq(ctx context.Context, w *world) error {
	gate := make(chan struct{})
	i, err := w.start(ctx, gated(gate))
	if err != nil {
		return err
	}
	run, err := i.StartFlow(ctx, "gated", 1)
	if err != nil {
		return err
	}
	var all []adapter.Record
	for n := 0; ; n++ {
		got := 0
		for r, err := range i.RunEvents(ctx, run.ID(), uint64(len(all))) {
			if err != nil {
				return fmt.Errorf("resume after %d: %w", len(all), err)
			}
			all = append(all, r)
			got++
			break // the connection is lost
		}
		if r := all[len(all)-1]; r.Type == flow.RecordStepCompleted && r.Step == "one" {
			close(gate)
		}
		if got == 0 {
			break
		}
	}
	return CheckLog(all)
}

func linesRecorded(ctx context.Context, w *world) error {
	i, err := w.single(ctx, "lines", func(ctx context.Context, n int) (int, error) {
		log := flow.Logger(ctx)
		log.Debug("not recorded")
		log.Info("counting", "n", n)
		log.Warn("done")
		if info, _ := flow.Info(ctx); info.Attempt == 1 {
			return 0, errRefused // lines of a failed attempt stay
		}
		return n, flow.Set(ctx, "n", n)
	}, flow.Attempts(2, flow.Backoff{}))
	if err != nil {
		return err
	}
	p, err := w.complete(ctx, i, "lines", 3, 3, nvent.WithRunHeaders(map[string]string{"traceparent": "00-1"}))
	if err != nil {
		return err
	}
	var levels strings.Builder
	for _, r := range p.log {
		if r.Type == flow.RecordLog {
			fmt.Fprintf(&levels, "%d%s ", r.Attempt, r.Key)
		}
	}
	if want := "1INFO 1WARN 2INFO 2WARN "; levels.String() != want {
		return fmt.Errorf("log lines are %q, want %q", levels.String(), want)
	}
	set, err := p.record(flow.RecordState, "work")
	if err != nil || set.Key != "n" {
		return wrong(err, "the state record is of key %q, want n", set.Key)
	}
	return p.counts(flow.RecordStepStarted, "work", 2)
}
