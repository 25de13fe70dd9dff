package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// AwaitBefore lets the step wait before it runs. No worker is held. What has come is there with [Awaited].
func AwaitBefore(a Await) Option {
	return Option{name: "AwaitBefore", apply: func(s *stepDraft) { s.def.Config.AwaitBefore = &a }}
}

// AwaitAfter lets the step wait after it has succeeded: what it emitted, its completion included, is delivered when the wait
// is over. What has come is the payload of [Resolved].
func AwaitAfter(a Await) Option {
	return Option{name: "AwaitAfter", apply: func(s *stepDraft) { s.def.Config.AwaitAfter = &a }}
}

// ForTime waits for a duration, of any length.
func ForTime(d time.Duration) Await { return Await{Type: AwaitTime, For: Duration(d)} }

// UntilTime waits until a time that an expression gives: see [Await].
func UntilTime(expr string) Await { return Await{Type: AwaitTime, Until: expr} }

// ForEvent waits for an event: one that the same branch of the run emits, or one that comes from outside (App.SendEvent).
// Events that came up to an hour before count; see [Await.Since].
func ForEvent(e AnyEvent) Await {
	if nilEvent(e) {
		return Await{Type: AwaitEvent} // the analysis says that the event has no name
	}
	return Await{Type: AwaitEvent, Event: e.Name()}
}

// ForSignal waits for a signal from outside that carries a token of [SignalTokenFor]: an approval, for example.
func ForSignal() Await { return Await{Type: AwaitSignal} }

// ForSchedule waits for the next tick of a cron expression in a time zone.
func ForSchedule(cron, zone string) Await { return Await{Type: AwaitSchedule, Cron: cron, Zone: zone} }

// Matching returns a with the demand that a top-level field of the event equals what an expression over the run's `input`
// gives: Matching("orderId", "input.id").
func (a Await) Matching(field, key string) Await {
	a.Field, a.Key = field, key
	return a
}

// Since returns a with how long before the wait an event may have come to count.
func (a Await) Since(d time.Duration) Await {
	a.LookBack = Duration(d)
	return a
}

// OrFail returns a with a bound: when it has passed the step fails.
func (a Await) OrFail(after time.Duration) Await {
	a.Timeout, a.OnTimeout = Duration(after), TimeoutFail
	return a
}

// OrRetry returns a with a bound: when it has passed the wait begins again, as often as the step has attempts.
func (a Await) OrRetry(after time.Duration) Await {
	a.Timeout, a.OnTimeout = Duration(after), TimeoutRetry
	return a
}

// OrContinue returns a with a bound: when it has passed the step goes on with v, which is encoded now. A value that cannot be
// encoded is reported when the flow is added.
func OrContinue[T any](a Await, after time.Duration, v T) Await {
	a.Timeout, a.OnTimeout = Duration(after), TimeoutContinue
	b, err := encode(v)
	if err != nil {
		b = json.RawMessage(err.Error()) // no JSON: the analysis says so
	}
	a.Default = b
	return a
}

// Awaited returns what the step of ctx waited for before it ran, and whether it waited. It may block on the store.
func Awaited[T any](ctx context.Context) (v T, ok bool, err error) {
	a, err := attemptOf(ctx)
	if err != nil {
		return v, false, fmt.Errorf("get what was awaited: %w", err)
	}
	if a.Awaited == nil {
		return v, false, nil
	}
	b, ok, err := a.Awaited(ctx)
	if err != nil || !ok {
		return v, ok, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, true, Permanent(fmt.Errorf("decode what step %q awaited as %T: %w", a.Step, v, err))
	}
	return v, true, nil
}

// SignalTokenFor returns a new random token that lets whoever has it signal a step of this run once, within ttl (0: as long as
// the run waits). step is the name of a step that awaits a signal, "" the step of ctx itself. The token counts if and only if
// the attempt succeeds; only a hash of it is kept. Send it to whoever is to decide, as part of a link for example, and hand
// what comes back to App.Signal. A signal that comes before the step waits counts.
func SignalTokenFor(ctx context.Context, step string, ttl time.Duration) (string, error) {
	a, err := attemptOf(ctx)
	if err != nil {
		return "", fmt.Errorf("make signal token: %w", err)
	}
	if step == "" {
		step = a.Step
	}
	if a.AwaitsSignal != nil && !a.AwaitsSignal(step) {
		return "", fmt.Errorf("make signal token: step %q awaits no signal: give it flow.AwaitBefore or flow.AwaitAfter with flow.ForSignal()", step)
	}
	if ttl < 0 {
		return "", fmt.Errorf("make signal token: a TTL of %v is no time to live: use 0 or more", ttl)
	}
	if a.NewToken == nil {
		return "", fmt.Errorf("make signal token: %w", ErrNoStep)
	}
	token, hash := a.NewToken()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return "", fmt.Errorf("make signal token: %w", ErrStepEnded)
	}
	a.signals = append(a.signals, NewSignal{Hash: hash, Step: step, TTL: Duration(ttl)})
	return token, nil
}

// EmitNow emits the event at once, although the step goes on: progress, for example. It gives up what [Event.Emit] promises:
// subscribers see it even if the attempt fails, and again if the next attempt emits it again. It blocks until the emission
// is recorded. An attempt that does not count any more gets an error.
func (e *Event[T]) EmitNow(ctx context.Context, v T) error {
	a, err := attemptOf(ctx)
	if err != nil {
		return fmt.Errorf("emit %q now: %w", e.Name(), err)
	}
	b, err := encode(v)
	if err == nil {
		err = a.mayEmit(e.Name())
	}
	if err == nil {
		err = a.check(b)
	}
	if err == nil && a.EmitNow == nil {
		err = ErrNoStep
	}
	if err == nil {
		err = a.EmitNow(ctx, Emission{Event: e.Name(), Payload: b})
	}
	if err != nil {
		return fmt.Errorf("emit %q now from step %q: %w", e.Name(), a.Step, err)
	}
	return nil
}

// Do returns what fn returned for this name in an earlier attempt of the same work, or calls it and keeps what it returns: a
// memo that survives attempts, crashes and restarts of the run. Use it for parts of a step that must not be repeated. fn may
// still run twice, when a crash comes between its end and the keeping; give the idempotency key ([Key]) to whoever must not
// do it twice. An error of fn is returned and not kept. It blocks on the store.
func Do[T any](ctx context.Context, name string, fn func(context.Context) (T, error)) (T, error) {
	var v T
	a, err := attemptOf(ctx)
	if err != nil {
		return v, fmt.Errorf("do %q: %w", name, err)
	}
	if err := badStateKey(name); err != nil {
		return v, fmt.Errorf("do %q in step %q: %w", name, a.Step, err)
	}
	if a.Memo == nil {
		return fn(ctx)
	}
	called := false
	b, err := a.Memo(ctx, name, func(ctx context.Context) (json.RawMessage, error) {
		called = true
		var err error
		if v, err = fn(ctx); err != nil {
			return nil, err
		}
		b, err := encode(v)
		if err == nil {
			err = a.check(b)
		}
		if err != nil {
			return nil, Permanent(fmt.Errorf("keep what do %q returned in step %q: %w", name, a.Step, err))
		}
		return b, nil
	})
	if err != nil || called {
		return v, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, Permanent(fmt.Errorf("decode what do %q returned before as %T: %w", name, v, err))
	}
	return v, nil
}
