package adaptertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
)

func streamPlaceChecks() []streamCheck {
	return []streamCheck{
		{Name: "place/kept-while-nobody-subscribes", run: placeKept},
		{Name: "place/forgotten-if-ephemeral", run: placeForgotten},
		{Name: "place/survives-a-restart", run: placeSurvives, alone: true},
	}
}

// leave lets a group receive one message and go away, and publishes others meanwhile.
func leave(ctx context.Context, e *streamEnv, topic string, o adapter.SubscribeOptions, missed []adapter.Message) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	var got tally[adapter.Message]
	sub, err := subscribe(ctx, e, s, topic, o, collecting(&got))
	if err != nil {
		return err
	}
	if err := publish(ctx, s, message(topic, "seen", 0)); err != nil {
		return err
	}
	if err := arrived(ctx, e, &got, 1); err != nil {
		return err
	}
	if err := sub.stop(); err != nil {
		return err
	}
	return publish(ctx, s, missed...)
}

func placeKept(ctx context.Context, e *streamEnv) error {
	topic, o := e.name(), adapter.SubscribeOptions{Group: e.name()}
	missed := messages(topic, "missed", 0, 5)
	if err := leave(ctx, e, topic, o, missed); err != nil {
		return err
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	var got tally[adapter.Message]
	if _, err := subscribe(ctx, e, s, topic, o, collecting(&got)); err != nil {
		return err
	}
	return exactly(ctx, e, "messages that the group missed", &got, missed)
}

func placeForgotten(ctx context.Context, e *streamEnv) error {
	topic, o := e.name(), adapter.SubscribeOptions{Group: e.name(), Ephemeral: true}
	if err := leave(ctx, e, topic, o, messages(topic, "missed", 0, 5)); err != nil {
		return err
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	var got tally[adapter.Message]
	if _, err := subscribe(ctx, e, s, topic, o, collecting(&got)); err != nil {
		return err
	}
	want := message(topic, "new", 0)
	if err := publish(ctx, s, want); err != nil {
		return err
	}
	return exactly(ctx, e, "messages of a group that was forgotten", &got, []adapter.Message{want})
}

func placeSurvives(ctx context.Context, e *streamEnv) error {
	if e.backend.Restart == nil {
		return nil // this backend cannot be restarted
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	if s.Info().Durability != adapter.DurableSync {
		return nil // nothing is promised
	}
	topic, o := e.name(), adapter.SubscribeOptions{Group: e.name()}
	missed := messages(topic, "missed", 0, 5)
	if err := leave(ctx, e, topic, o, missed); err != nil {
		return err
	}
	if err := e.backend.Restart(ctx); err != nil {
		return fmt.Errorf("restart the backend: %w", err)
	}
	if s, err = e.open(ctx); err != nil {
		return err
	}
	var got tally[adapter.Message]
	if _, err := subscribe(ctx, e, s, topic, o, collecting(&got)); err != nil {
		return err
	}
	return exactly(ctx, e, "messages from before the restart", &got, missed)
}

func streamReplayChecks() []streamCheck {
	return []streamCheck{
		{Name: "replay/only-as-claimed", run: replayUnclaimed},
		{Name: "replay/from-earliest", run: replayEarliest},
		{Name: "replay/after-a-message", run: replayID},
		{Name: "replay/a-known-group-goes-on", run: replayKnown},
	}
}

func replayUnclaimed(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	if s.Info().Caps.Has(adapter.CapReplay) {
		return nil
	}
	for _, from := range []string{adapter.FromEarliest, "1"} {
		sub := join(ctx, e, s, e.name(), adapter.SubscribeOptions{From: from}, collecting(&tally[adapter.Message]{}))
		if err := e.ended("subscribe", sub.done); !errors.Is(err, adapter.ErrUnsupported) {
			return fmt.Errorf("CapReplay is not claimed, but subscribing from %q returned %w", from, errOr(err, "nil"))
		}
	}
	return nil
}

// replayed checks what a subscription from a place gets, with and without a group.
func replayed(ctx context.Context, e *streamEnv, from func(ids []string) string, skip int) error {
	s, err := e.open(ctx)
	if err != nil || !s.Info().Caps.Has(adapter.CapReplay) {
		return err
	}
	topic := e.name()
	var live tally[adapter.Message]
	if _, err := subscribe(ctx, e, s, topic, adapter.SubscribeOptions{}, collecting(&live)); err != nil {
		return err
	}
	all := messages(topic, "k", 0, 10)
	if err := publish(ctx, s, all[:7]...); err != nil {
		return err
	}
	if err := arrived(ctx, e, &live, 7); err != nil {
		return err
	}
	var ids []string
	for _, m := range live.list() {
		ids = append(ids, m.ID)
	}
	got := make([]tally[adapter.Message], 2)
	for i, group := range []string{"", e.name()} {
		o := adapter.SubscribeOptions{Group: group, From: from(ids)}
		if _, err := subscribe(ctx, e, s, topic, o, collecting(&got[i])); err != nil {
			return err
		}
	}
	if err := publish(ctx, s, all[7:]...); err != nil {
		return err
	}
	for i := range got {
		if err := exactly(ctx, e, "replayed messages", &got[i], all[skip:]); err != nil {
			return err
		}
	}
	return nil
}

func replayEarliest(ctx context.Context, e *streamEnv) error {
	return replayed(ctx, e, func([]string) string { return adapter.FromEarliest }, 0)
}

func replayID(ctx context.Context, e *streamEnv) error {
	return replayed(ctx, e, func(ids []string) string { return ids[3] }, 4)
}

func replayKnown(ctx context.Context, e *streamEnv) error {
	s, err := e.open(ctx)
	if err != nil || !s.Info().Caps.Has(adapter.CapReplay) {
		return err
	}
	topic, o := e.name(), adapter.SubscribeOptions{Group: e.name()}
	missed := messages(topic, "missed", 0, 3)
	if err := leave(ctx, e, topic, o, missed); err != nil {
		return err
	}
	o.From = adapter.FromEarliest
	var got tally[adapter.Message]
	if _, err := subscribe(ctx, e, s, topic, o, collecting(&got)); err != nil {
		return err
	}
	return exactly(ctx, e, "messages of a group that exists", &got, missed)
}
