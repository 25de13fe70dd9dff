package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/nvent-go/nvent/adapter"
)

func queueAnnotateChecks() []queueCheck {
	return []queueCheck{
		{Name: "annotate/progress-and-log", run: annotateKeeps},
		{Name: "annotate/needs-the-lease", run: annotateFenced},
	}
}

// annotator returns nil if the capability is not claimed; that it is then refused is the subject of another check.
func annotator(q adapter.Queue) adapter.Annotator {
	if !q.Info().Caps.Has(adapter.CapAnnotate) {
		return nil
	}
	a, _ := q.(adapter.Annotator)
	return a
}

func annotateKeeps(ctx context.Context, e *queueEnv) error {
	t, err := take(ctx, e, nil)
	if err != nil {
		return err
	}
	a := annotator(t.q)
	if a == nil {
		return nil
	}
	var events tally[adapter.QueueEvent]
	if _, err := watch(ctx, e, t.q, t.j.Queue, func(ev adapter.QueueEvent) { events.add(ev) }); err != nil {
		return err
	}
	progress := json.RawMessage(`{"done":0.50}`)
	if err := a.Annotate(ctx, t.j.Queue, t.j.ID, t.d.mine.Receipt, progress, "one", "two"); err != nil {
		return fmt.Errorf("annotate: %w", err)
	}
	if err := a.Annotate(ctx, t.j.Queue, t.j.ID, t.d.mine.Receipt, nil, "three"); err != nil {
		return fmt.Errorf("annotate without progress: %w", err)
	}
	j, _, err := lookup(ctx, t.q, t.j.Queue, t.j.ID)
	if err != nil {
		return err
	}
	if err := sameJSON(j.Progress, progress); err != nil {
		return fmt.Errorf("progress: %w", err)
	}
	for _, c := range []struct {
		offset, limit int
		want          []string
	}{{0, 10, []string{"one", "two", "three"}}, {1, 1, []string{"two"}}, {3, 10, nil}} {
		lines, total, err := a.JobLog(ctx, t.j.Queue, t.j.ID, c.offset, c.limit)
		if err != nil {
			return fmt.Errorf("job log: %w", err)
		}
		if total != 3 || !slices.Equal(lines, c.want) {
			return fmt.Errorf("job log from %d, at most %d: %q of %d, want %q of 3", c.offset, c.limit, lines, total, c.want)
		}
	}
	return e.until(ctx, "a progress event was seen", func() (bool, error) {
		return inOrder(types(events.list(), t.j.ID), adapter.EventProgress), nil
	})
}

func annotateFenced(ctx context.Context, e *queueEnv) error {
	t, err := take(ctx, e, nil)
	if err != nil {
		return err
	}
	a := annotator(t.q)
	if a == nil {
		return nil
	}
	if err := t.settle(ctx, adapter.Retry, nil); err != nil {
		return err
	}
	stale := t.d.mine.Receipt
	if err := t.again(e, "the retried job"); err != nil {
		return err
	}
	err = a.Annotate(ctx, t.j.Queue, t.j.ID, stale, json.RawMessage(`1`), "late")
	if !errors.Is(err, adapter.ErrLeaseLost) {
		return fmt.Errorf("annotate with a stale receipt: %w, want ErrLeaseLost", errOr(err, "nil"))
	}
	j, _, err := lookup(ctx, t.q, t.j.Queue, t.j.ID)
	if err != nil {
		return err
	}
	if _, total, err := a.JobLog(ctx, t.j.Queue, t.j.ID, 0, 10); err != nil || total != 0 || len(j.Progress) != 0 {
		return fmt.Errorf("a stale annotation was kept: %d lines, progress %s, %w", total, j.Progress, errOr(err, "want none"))
	}
	return nil
}
