package adaptertest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/adaptertest"
	"github.com/nvent-go/nvent/adapter/memory"
)

// TestFaultyHarness: what the harness cannot do is an error of the check, not a pass.
func TestFaultyHarness(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	sound := func(b *memory.Backend) adapter.Queue { return b.Queue() }
	for _, c := range []struct {
		name, want string
		edit       func(h *adaptertest.Harness[adapter.Queue])
	}{
		{"no backend", "refused", func(h *adaptertest.Harness[adapter.Queue]) {
			h.New = func(context.Context) (adaptertest.Backend[adapter.Queue], error) {
				return adaptertest.Backend[adapter.Queue]{}, refused
			}
		}},
		{"no instance", "refused", func(h *adaptertest.Harness[adapter.Queue]) {
			h.New = func(context.Context) (adaptertest.Backend[adapter.Queue], error) {
				return adaptertest.Backend[adapter.Queue]{Open: func(context.Context) (adapter.Queue, error) { return nil, refused }}, nil
			}
		}},
		{"no kill", "Kill", func(h *adaptertest.Harness[adapter.Queue]) {
			with := h.New
			h.New = func(ctx context.Context) (adaptertest.Backend[adapter.Queue], error) {
				b, err := with(ctx)
				b.Kill = nil
				return b, err
			}
		}},
		{"trouble at the end", "refused", func(h *adaptertest.Harness[adapter.Queue]) {
			with := h.New
			h.New = func(ctx context.Context) (adaptertest.Backend[adapter.Queue], error) {
				b, err := with(ctx)
				b.Close = func() error { return refused }
				return b, err
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := harness(sound)
			c.edit(&h)
			for _, check := range adaptertest.QueueChecks() {
				if check.Name != "lease/job-of-the-dead-is-redelivered" {
					continue
				}
				if err := adaptertest.Verify(t, h, check); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want an error with %q", err, c.want)
				}
			}
		})
	}
}
