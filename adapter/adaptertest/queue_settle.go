package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
)

func queueSettleChecks() []queueCheck {
	return []queueCheck{
		{Name: "settle/complete", run: settleComplete},
		{Name: "settle/fail", run: settleFail},
		{Name: "settle/discard-frees-the-id", run: settleDiscard},
		{Name: "settle/once-only", run: settleOnce},
		{Name: "settle/unknown-is-lease-lost", run: settleUnknown},
		{Name: "settle/many-aligned", run: settleMany},
	}
}

// taken is a queue with one job that runs.
type taken struct {
	q   adapter.Queue
	j   adapter.NewJob
	d   *held
	got <-chan *held
}

// take enqueues a job (after edit) and waits until it runs, with concurrency 1.
func take(ctx context.Context, e *queueEnv, edit func(*adapter.NewJob)) (*taken, error) {
	q, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	t := &taken{q: q, j: newJob(e.name())}
	if edit != nil {
		edit(&t.j)
	}
	if err := enqueue(ctx, q, t.j); err != nil {
		return nil, err
	}
	var h handler
	h, t.got = holding(e)
	if _, err := consume(ctx, e, q, t.j.Queue, 1, h); err != nil {
		return nil, err
	}
	return t, t.again(e, "the job")
}

// again waits for the next delivery.
func (t *taken) again(e *queueEnv, what string) (err error) {
	t.d, err = next(e, what, t.got)
	return err
}

// settle settles the delivery and lets its handler return.
func (t *taken) settle(ctx context.Context, v adapter.Verdict, edit func(*adapter.Settlement)) error {
	if err := settle(ctx, t.q, &t.d.mine, v, edit); err != nil {
		return fmt.Errorf("%s: %w", v, err)
	}
	t.d.release()
	return nil
}

func settleComplete(ctx context.Context, e *queueEnv) error {
	t, err := take(ctx, e, nil)
	if err != nil {
		return err
	}
	result := json.RawMessage(`{"paid":12.50}`)
	if err := t.settle(ctx, adapter.Complete, func(s *adapter.Settlement) { s.Result = result }); err != nil {
		return err
	}
	j, err := untilState(ctx, e, t.q, t.j.Queue, t.j.ID, adapter.JobCompleted)
	if err != nil {
		return err
	}
	if err := sameJSON(j.Result, result); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if j.Attempt != 1 || j.Delivery != 1 || j.FinishedAt.IsZero() || j.Error != "" {
		return fmt.Errorf("completed job: attempt %d, delivery %d, finished at %v, error %q",
			j.Attempt, j.Delivery, j.FinishedAt, j.Error)
	}
	return none(ctx, e, "a completed job", t.got)
}

func settleFail(ctx context.Context, e *queueEnv) error {
	t, err := take(ctx, e, func(j *adapter.NewJob) { j.Attempts, j.Redeliver = 5, 5 })
	if err != nil {
		return err
	}
	const text = "card refused: «no funds»\nline two"
	if err := t.settle(ctx, adapter.Fail, func(s *adapter.Settlement) { s.Err = text }); err != nil {
		return err
	}
	j, err := untilState(ctx, e, t.q, t.j.Queue, t.j.ID, adapter.JobFailed)
	if err != nil {
		return err
	}
	if j.Error != text || j.Attempt != 1 || j.FinishedAt.IsZero() {
		return fmt.Errorf("failed job: error %q, attempt %d, finished at %v", j.Error, j.Attempt, j.FinishedAt)
	}
	return none(ctx, e, "a job that failed for good", t.got)
}

func settleDiscard(ctx context.Context, e *queueEnv) error {
	t, err := take(ctx, e, nil)
	if err != nil {
		return err
	}
	if err := t.settle(ctx, adapter.Discard, nil); err != nil {
		return err
	}
	if err := untilGone(ctx, e, t.q, t.j.Queue, t.j.ID); err != nil {
		return fmt.Errorf("discarded: %w", err)
	}
	if err := none(ctx, e, "a discarded job", t.got); err != nil {
		return err
	}
	if err := enqueue(ctx, t.q, t.j); err != nil {
		return fmt.Errorf("the ID of a discarded job: %w", err)
	}
	return t.again(e, "a job with the ID of a discarded one")
}

func settleOnce(ctx context.Context, e *queueEnv) error {
	t, err := take(ctx, e, nil)
	if err != nil {
		return err
	}
	first := func(s *adapter.Settlement) { s.Result = json.RawMessage(`"first"`) }
	if err := settle(ctx, t.q, &t.d.mine, adapter.Complete, first); err != nil {
		return fmt.Errorf("complete: %w", err)
	}
	for _, v := range []adapter.Verdict{adapter.Complete, adapter.Retry, adapter.Fail, adapter.Release, adapter.Discard} {
		if err := settle(ctx, t.q, &t.d.mine, v, nil); !errors.Is(err, adapter.ErrLeaseLost) {
			return fmt.Errorf("%s after it was completed: %w, want ErrLeaseLost", v, errOr(err, "nil"))
		}
	}
	t.d.release()
	if err := none(ctx, e, "a completed job", t.got); err != nil {
		return err
	}
	j, err := untilState(ctx, e, t.q, t.j.Queue, t.j.ID, adapter.JobCompleted)
	if err != nil {
		return err
	}
	return sameJSON(j.Result, json.RawMessage(`"first"`))
}

func settleUnknown(ctx context.Context, e *queueEnv) error {
	t, err := take(ctx, e, nil)
	if err != nil {
		return err
	}
	waiting := newJob(t.j.Queue)
	if err := enqueue(ctx, t.q, waiting); err != nil {
		return err
	}
	right := adapter.Settlement{Queue: t.j.Queue, ID: t.j.ID, Receipt: t.d.mine.Receipt}
	for what, edit := range map[string]func(*adapter.Settlement){
		"an unknown job":                 func(s *adapter.Settlement) { s.ID = uuid() },
		"a job that waits":               func(s *adapter.Settlement) { s.ID = waiting.ID },
		"another queue":                  func(s *adapter.Settlement) { s.Queue = e.name() },
		"no receipt":                     func(s *adapter.Settlement) { s.Receipt = "" },
		"a receipt that was never given": func(s *adapter.Settlement) { s.Receipt = uuid() },
	} {
		s := right
		edit(&s)
		if errs := t.q.Settle(ctx, s); len(errs) != 1 || !errors.Is(errs[0], adapter.ErrLeaseLost) {
			return fmt.Errorf("settle %s: got %v, want ErrLeaseLost", what, errs)
		}
	}
	if err := inState(ctx, t.q, t.j.Queue, t.j.ID, adapter.JobActive); err != nil {
		return err
	}
	if err := inState(ctx, t.q, t.j.Queue, waiting.ID, adapter.JobWaiting); err != nil {
		return err
	}
	return t.settle(ctx, adapter.Complete, nil)
}

func settleMany(ctx context.Context, e *queueEnv) error {
	q, err := e.open(ctx)
	if err != nil {
		return err
	}
	queues := []string{e.name(), e.name()}
	h, got := holding(e)
	var want []string
	for _, name := range queues {
		if _, err := consume(ctx, e, q, name, 10, h); err != nil {
			return err
		}
		jobs := newJobs(name, 5)
		if err := enqueue(ctx, q, jobs...); err != nil {
			return err
		}
		want = append(want, jobIDs(jobs)...)
	}
	var batch []adapter.Settlement
	for i := range want {
		d, err := next(e, "a job", got)
		if err != nil {
			return err
		}
		s := adapter.Settlement{Queue: d.mine.Queue, ID: d.mine.ID, Receipt: d.mine.Receipt}
		if i%3 == 1 {
			s.Receipt = uuid()
		}
		if i%3 == 2 {
			s.Verdict, s.Err = adapter.Fail, "broken"
		}
		batch = append(batch, s)
	}
	errs := q.Settle(ctx, batch...)
	if len(errs) != len(batch) {
		return fmt.Errorf("settle %d deliveries: %d results", len(batch), len(errs))
	}
	for i, s := range batch {
		state := []adapter.JobState{adapter.JobCompleted, adapter.JobActive, adapter.JobFailed}[i%3]
		if stale := i%3 == 1; stale != errors.Is(errs[i], adapter.ErrLeaseLost) || !stale && errs[i] != nil {
			return fmt.Errorf("settlement %d of a batch (stale: %v): %w", i, stale, errOr(errs[i], "nil"))
		}
		if err := inState(ctx, q, s.Queue, s.ID, state); err != nil {
			return fmt.Errorf("settlement %d of a batch: %w", i, err)
		}
	}
	return nil
}
