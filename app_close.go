package nvent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// shutdownTime is how long Run gives handlers to finish.
const shutdownTime = 30 * time.Second

// obeyTime is how long handlers may take to return once their contexts have ended.
const obeyTime = 5 * time.Second

// Close stops taking jobs and waits for the handlers that run, until ctx ends; then their contexts end, and their jobs are
// handed back without counting an attempt. It returns an error when handlers did not finish in time, or do not return at
// all. News for listeners of the event bus are published, as long as ctx lasts. A second call waits for the first and returns what it returned.
func (a *App) Close(ctx context.Context) error {
	a.mu.Lock()
	if a.phase == phaseClosing {
		a.mu.Unlock()
		<-a.closed
		return a.closeErr
	}
	started := a.phase == phaseStarted
	a.phase = phaseClosing
	a.mu.Unlock()
	defer close(a.closed)

	var err error
	a.triggers.service.Close(ctx)
	if started {
		err = a.stopWorkers(ctx)
	}
	a.queue.close()
	a.stream.close()
	a.store.close()
	a.engine.Close()
	a.news.close(ctx)
	a.closeErr = errors.Join(err, a.closeAdapters())
	return a.closeErr
}

func (a *App) stopWorkers(ctx context.Context) error {
	defer a.abort()
	a.stopTaking()
	done := make(chan struct{})
	go func() { a.workers.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	a.abort()
	timer := time.NewTimer(obeyTime)
	defer timer.Stop()
	select {
	case <-done:
		return fmt.Errorf("close app: handlers did not finish in time, their jobs are handed back: %w", context.Cause(ctx))
	case <-timer.C:
		return fmt.Errorf("close app: handlers ignore the end of their context and still run; their jobs are delivered again once "+
			"their leases run out: %w", context.Cause(ctx))
	}
}

// closeAdapters closes what this App opened, the last first.
func (a *App) closeAdapters() error {
	var errs []error
	for _, closeAdapter := range slices.Backward(a.opened) {
		errs = append(errs, closeAdapter())
	}
	a.opened = nil
	return errors.Join(errs...)
}
