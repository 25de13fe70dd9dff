package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// A flow is paused by a document; every run of it is paused with it. Runs that start while another instance does not know of
// the pause yet are found and paused by whoever knows: every instance does so for a while after each change, and when it
// starts.

// enforceFor is how long after a change every instance sees to it that all runs follow.
const enforceFor = time.Minute

// pauseDoc is the body of a document of CollectionPauses.
type pauseDoc struct {
	Flow   string `json:"flow"`
	Paused bool   `json:"paused"`
	Reason string `json:"reason,omitempty"`
	At     int64  `json:"at"` // of the last change, Unix milliseconds of the store's clock
}

// flowPauses is what this process knows of paused flows.
type flowPauses struct {
	mu     sync.RWMutex
	paused map[string]bool
	begun  bool // this instance has seen to all of them once
}

// has reports whether a flow is paused, as far as this process knows.
func (p *flowPauses) has(name string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.paused[name]
}

func (p *flowPauses) set(name string, paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused == nil {
		p.paused = map[string]bool{}
	}
	if paused {
		p.paused[name] = true
	} else {
		delete(p.paused, name)
	}
}

// SetFlowPaused pauses or resumes a flow: all of its runs, and those that start later. When it returns nil the change is in
// the store and all runs that this instance could find follow it.
func (e *Engine) SetFlowPaused(ctx context.Context, name string, paused bool, reason string) error {
	what := "resume"
	if paused {
		what = "pause"
	}
	doc := pauseDoc{Flow: name, Paused: paused, Reason: reason, At: e.now().UnixMilli()}
	body, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("%s flow %q: %w", what, name, err)
	}
	_, err = e.Store.Commit(ctx, adapter.Batch{Partition: adapter.Partition(name), Puts: []adapter.Doc{
		{Collection: CollectionPauses, ID: name, Version: adapter.AnyVersion, Body: body},
	}})
	if err != nil {
		return fmt.Errorf("%s flow %q: %w", what, name, err)
	}
	e.pauses.set(name, paused)
	if err := e.enforcePause(ctx, doc); err != nil {
		return fmt.Errorf("%s flow %q: %w", what, name, err)
	}
	return nil
}

// FlowPaused returns whether a flow is paused, and why, from the store.
func (e *Engine) FlowPaused(ctx context.Context, name string) (paused bool, reason string, err error) {
	docs, err := e.Store.Get(ctx, CollectionPauses, name)
	if err != nil || len(docs) == 0 {
		return false, "", err
	}
	var doc pauseDoc
	if err := json.Unmarshal(docs[0].Body, &doc); err != nil {
		return false, "", fmt.Errorf("decode pause of flow %q: %w", name, err)
	}
	return doc.Paused, doc.Reason, nil
}

// enforcePause brings the runs of a flow into line.
func (e *Engine) enforcePause(ctx context.Context, doc pauseDoc) error {
	q := adapter.Query{Where: map[string]any{"flow": doc.Flow, "status": string(flow.StatusRunning)}, Order: "startedAt", Limit: 500}
	var in flow.Input = flow.Resume{Flow: true}
	if doc.Paused {
		in = flow.Pause{Reason: doc.Reason, Flow: true}
	}
	for {
		page, err := e.Store.List(ctx, CollectionRuns, q)
		if err != nil {
			return fmt.Errorf("list runs: %w", err)
		}
		for _, d := range page.Items {
			if _, err := e.submit(ctx, d.ID, in); err != nil {
				return fmt.Errorf("run %s: %w", d.ID, err)
			}
		}
		if page.Next == "" {
			return nil
		}
		q.Cursor = page.Next
	}
}

// seePauses learns which flows are paused, and brings runs into line where that has changed lately.
func (e *Engine) seePauses(ctx context.Context) error {
	var errs error
	e.pauses.mu.RLock()
	begun := e.pauses.begun
	e.pauses.mu.RUnlock()
	q := adapter.Query{Limit: 500}
	for {
		page, err := e.Store.List(ctx, CollectionPauses, q)
		if err != nil {
			return fmt.Errorf("list paused flows: %w", err)
		}
		for _, d := range page.Items {
			var doc pauseDoc
			if err := json.Unmarshal(d.Body, &doc); err != nil {
				errs = errors.Join(errs, fmt.Errorf("decode pause of flow %q: %w", d.ID, err))
				continue
			}
			e.pauses.set(doc.Flow, doc.Paused)
			if !begun || e.now().Sub(time.UnixMilli(doc.At)) < enforceFor {
				errs = errors.Join(errs, e.enforcePause(ctx, doc))
			}
		}
		if page.Next == "" {
			break
		}
		q.Cursor = page.Next
	}
	if errs == nil {
		e.pauses.mu.Lock()
		e.pauses.begun = true
		e.pauses.mu.Unlock()
	}
	return errs
}
