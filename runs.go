package nvent

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/engine"
)

// RunStatus is where a run is: the specification's FlowMetadata, and more.
type RunStatus struct {
	RunID          string            `json:"runId"`
	Flow           string            `json:"flow"`
	Definition     string            `json:"definition"` // hash
	Status         flow.Status       `json:"status"`
	Epoch          int               `json:"epoch"`
	StartedAt      time.Time         `json:"startedAt"`
	CompletedAt    time.Time         `json:"completedAt,omitzero"`
	StepCount      int               `json:"stepCount"`
	CompletedSteps int               `json:"completedSteps"`
	Open           int               `json:"open"` // outstanding work
	Key            string            `json:"key,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Error          string            `json:"error,omitempty"`
	Paused         bool              `json:"paused,omitempty"`
	Waiting        bool              `json:"waiting,omitempty"` // for the limits of its flow to let it begin: see [flow.Limit]
	Parent         string            `json:"parent,omitempty"`  // the run whose step waits for this one
	Version        adapter.Version   `json:"_version"`
}

// RunStatus returns where a run is. An unknown run is [ErrNotFound].
func (a *App) RunStatus(ctx context.Context, id string) (RunStatus, error) {
	docs, err := a.engine.Store.Get(ctx, engine.CollectionRuns, id)
	if err != nil {
		return RunStatus{}, fmt.Errorf("get run %s: %w", id, err)
	}
	if len(docs) == 0 {
		return RunStatus{}, fmt.Errorf("get run %s: %w", id, adapter.ErrNotFound)
	}
	list, err := a.statuses(ctx, docs)
	if err != nil {
		return RunStatus{}, err
	}
	return list[0], nil
}

// RunQuery selects runs. Zero fields do not select. Label and the others do not combine.
type RunQuery struct {
	Flow   string
	Status flow.Status
	Label  string // "name=value"
	Since  time.Time
	Until  time.Time
	Cursor string // of the page before
	Limit  int    // 0 = 100
}

// Runs returns runs, the newest first, a page at a time.
func (a *App) Runs(ctx context.Context, q RunQuery) (adapter.Page[RunStatus], error) {
	query := adapter.Query{Where: map[string]any{}, Order: "startedAt", Desc: true, Cursor: q.Cursor, Limit: q.Limit}
	if q.Label != "" {
		if q.Flow != "" || q.Status != "" {
			return adapter.Page[RunStatus]{}, fmt.Errorf("list runs: %w: Label does not combine with Flow or Status", adapter.ErrInvalid)
		}
		query.Where["label"] = q.Label
	}
	if q.Flow != "" {
		query.Where["flow"] = q.Flow
	}
	if q.Status != "" {
		query.Where["status"] = string(q.Status)
	}
	if !q.Since.IsZero() {
		query.From = q.Since.UnixMilli()
	}
	if !q.Until.IsZero() {
		query.To = q.Until.UnixMilli()
	}
	page, err := a.engine.Store.List(ctx, engine.CollectionRuns, query)
	if err != nil {
		return adapter.Page[RunStatus]{}, fmt.Errorf("list runs: %w", err)
	}
	list, err := a.statuses(ctx, page.Items)
	return adapter.Page[RunStatus]{Items: list, Next: page.Next}, err
}

// statuses reads summaries, and for runs that have not ended what their states know better.
func (a *App) statuses(ctx context.Context, docs []adapter.Doc) ([]RunStatus, error) {
	list := make([]RunStatus, len(docs))
	var live []string
	at := map[string]int{}
	for i, d := range docs {
		s, err := engine.DecodeSummary(d)
		if err != nil {
			return nil, err
		}
		list[i] = RunStatus{
			RunID: s.RunID, Flow: s.Flow, Definition: s.Definition, Status: s.Status, Epoch: s.Epoch,
			StartedAt: time.UnixMilli(s.StartedAt), StepCount: s.StepCount, CompletedSteps: s.CompletedSteps,
			Key: s.Key, Labels: s.Labels, Error: s.Error, Version: s.Version,
			Paused: s.Paused, Waiting: s.Waiting, Parent: s.Parent,
		}
		if s.CompletedAt != 0 {
			list[i].CompletedAt = time.UnixMilli(s.CompletedAt)
		}
		if !s.Status.Ended() {
			live = append(live, s.RunID)
			at[s.RunID] = i
		}
	}
	if len(live) == 0 {
		return list, nil
	}
	states, err := a.engine.Store.Get(ctx, engine.CollectionState, live...)
	if err != nil {
		return nil, fmt.Errorf("get states of runs: %w", err)
	}
	for _, d := range states {
		s, err := flow.DecodeState(d.Body)
		if err != nil {
			return nil, fmt.Errorf("decode state of run %s: %w", d.ID, err)
		}
		r := &list[at[d.ID]]
		r.CompletedSteps, r.Open = s.CompletedSteps(), s.Open
	}
	return list, nil
}

// RunEvents iterates over the log of a run by its ID. See [Run.Events].
func (a *App) RunEvents(ctx context.Context, id string, after uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		f := a.engine.Follow(id)
		defer f.Close()
		for {
			// The state is read first: when it says that the run has ended, the records up to its end are there.
			s, err := a.engine.State(ctx, id)
			if err != nil {
				yield(Record{}, err)
				return
			}
			for after < s.Seq {
				records, err := a.engine.Store.Read(ctx, id, adapter.Range{After: after, Limit: 500})
				if err != nil {
					yield(Record{}, fmt.Errorf("read log of run %s: %w", id, err))
					return
				}
				for _, r := range records {
					if !yield(r, nil) {
						return
					}
					after = r.Seq
				}
				if len(records) == 0 {
					break
				}
			}
			if s.Status.Ended() && after >= s.Seq {
				return
			}
			if err := f.Wait(ctx); err != nil {
				yield(Record{}, fmt.Errorf("follow run %s: %w", id, err))
				return
			}
		}
	}
}
