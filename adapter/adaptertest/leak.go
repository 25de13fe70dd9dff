package adaptertest

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
)

// checkLeaks runs cycle twice, the second time under a label that every goroutine started by it inherits, and fails if such
// goroutines are still there in the end. The first cycle is not counted: a harness may share a pool that grows on first use.
func (e *env[A]) checkLeaks(ctx context.Context, cycle func(ctx context.Context) error) error {
	if err := cycle(ctx); err != nil {
		return err
	}
	mark := e.name()
	err := <-e.start(func() (err error) {
		pprof.Do(ctx, pprof.Labels("adaptertest", mark), func(ctx context.Context) { err = cycle(ctx) })
		return err
	})
	if err != nil {
		return err
	}
	var left []string
	gone := func() (bool, error) {
		left, err = labelled(mark)
		return len(left) == 0, err
	}
	if err := e.until(ctx, "the goroutines of closed instances end", gone); err != nil {
		return fmt.Errorf("%w; left:\n%s", err, strings.Join(left, "\n\n"))
	}
	return nil
}

// labelled returns the stacks of the goroutines that carry the mark.
func labelled(mark string) ([]string, error) {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return nil, fmt.Errorf("read goroutine profile: %w", err)
	}
	var found []string
	for stack := range strings.SplitSeq(b.String(), "\n\n") {
		if strings.Contains(stack, mark) {
			found = append(found, stack)
		}
	}
	return found, nil
}
