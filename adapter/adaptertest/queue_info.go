package adaptertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
)

func queueInfoChecks() []queueCheck {
	return []queueCheck{
		{Name: "info/is-honest", run: infoIsHonest[adapter.Queue]},
		{Name: "info/annotator-only-as-claimed", run: queueInfoAnnotator},
	}
}

// infoIsHonest checks what can be checked about Info without using the adapter.
func infoIsHonest[A Driver](ctx context.Context, e *env[A]) error {
	a, b, err := e.open2(ctx)
	if err != nil {
		return err
	}
	info := a.Info()
	if info != b.Info() || info != a.Info() {
		return fmt.Errorf("info differs between instances or calls: %+v and %+v", info, b.Info())
	}
	const known = adapter.CapGlobalEvents | adapter.CapAnnotate | adapter.CapReplay | adapter.CapTx
	switch {
	case info.Name == "":
		return errors.New("info has no name")
	case info.Scope.String() == "unknown":
		return fmt.Errorf("info has an unknown scope %d", info.Scope)
	case info.Durability.String() == "unknown":
		return fmt.Errorf("info has an unknown durability %d", info.Durability)
	case info.Caps&^known != 0:
		return fmt.Errorf("info claims unknown capabilities: %b", info.Caps&^known)
	case info.IDRetained < 0:
		return fmt.Errorf("info has a negative IDRetained: %v", info.IDRetained)
	}
	return nil
}

func queueInfoAnnotator(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	a, implemented := q.(adapter.Annotator)
	switch claimed := q.Info().Caps.Has(adapter.CapAnnotate); {
	case claimed && !implemented:
		return errors.New("claims CapAnnotate, but does not implement Annotator")
	case claimed || !implemented:
		return nil
	}
	name := e.name()
	if err := a.Annotate(ctx, name, uuid(), "receipt", nil, "line"); !errors.Is(err, adapter.ErrUnsupported) {
		return fmt.Errorf("CapAnnotate is not claimed, but Annotate returned %w", errOr(err, "nil"))
	}
	if _, _, err := a.JobLog(ctx, name, uuid(), 0, 10); !errors.Is(err, adapter.ErrUnsupported) {
		return fmt.Errorf("CapAnnotate is not claimed, but JobLog returned %w", errOr(err, "nil"))
	}
	return nil
}
