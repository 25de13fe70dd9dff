package nvent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/engine"
)

type email struct {
	To string `json:"to"`
}

// enqueueOne enqueues a job and returns its ID.
func enqueueOne[T any](t testing.TB, p *portable, j *JobType[T], v T, o ...JobOption) string {
	t.Helper()
	ids, err := j.enqueue(t.Context(), p.Queue, []T{v}, o)
	if err != nil {
		t.Fatal(err)
	}
	return ids[0]
}

func TestJobRunsWithItsValueAndInfo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := open(t)
		send := Job[email]("mail", "send", flow.Attempts(3, flow.Fixed(time.Second)))
		var got []email
		var info JobAttempt
		p.work(t, 4, send.Handle(func(ctx context.Context, m email) error {
			got = append(got, m)
			info, _ = JobInfo(ctx)
			return errors.Join(Progress(ctx, 50), JobLog(ctx, "half", "way\x00"))
		}))
		id := enqueueOne(t, p, send, email{"a@b"}, WithLabels(map[string]string{"l": "v"}), WithHeaders(map[string]string{"h": "w"}))
		synctest.Wait()
		if !slices.Equal(got, []email{{"a@b"}}) {
			t.Errorf("handled %v", got)
		}
		if info.ID != id || info.Queue != "mail" || info.Name != "send" || info.Attempt != 1 || info.Attempts != 3 ||
			info.Delivery != 1 || info.Labels["l"] != "v" || info.Headers["h"] != "w" || info.Enqueued.IsZero() {
			t.Errorf("info is %+v", info)
		}
		j, err := p.GetJob(t.Context(), "mail", id)
		if err != nil || j.State != JobCompleted || string(j.Progress) != "50" {
			t.Errorf("job is %s with progress %s, %v", j.State, j.Progress, err)
		}
		lines, total, err := p.JobLog(t.Context(), "mail", id, 0, 0)
		if err != nil || total != 2 || !slices.Equal(lines, []string{"half", "way\uFFFD"}) {
			t.Errorf("log is %q of %d, %v", lines, total, err)
		}
	})
}

func TestJobOutcomes(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, c := range []struct {
		name     string
		options  []flow.Option
		handle   func(ctx context.Context, attempt int) error
		state    JobState
		attempts int
		took     time.Duration
		err      string
	}{
		{"succeeds at last", []flow.Option{flow.Attempts(5, flow.Exponential(time.Second))}, func(_ context.Context, n int) error {
			if n < 4 {
				return boom
			}
			return nil
		}, JobCompleted, 4, 7 * time.Second, ""},
		{"uses its attempts up", []flow.Option{flow.Attempts(3, flow.Fixed(time.Minute))}, func(context.Context, int) error {
			return boom
		}, JobFailed, 3, 2 * time.Minute, "boom"},
		{"configured attempts", nil, func(context.Context, int) error { return boom }, JobFailed, 1, 0, "boom"},
		{"permanent", []flow.Option{flow.Attempts(3, flow.Fixed(time.Minute))}, func(context.Context, int) error {
			return fmt.Errorf("send: %w", flow.Permanent(boom))
		}, JobFailed, 1, 0, "send: boom"},
		{"says when", []flow.Option{flow.Attempts(2, flow.Fixed(time.Minute))}, func(context.Context, int) error {
			return flow.RetryAfter(boom, time.Hour)
		}, JobFailed, 2, time.Hour, "boom"},
		{"panics", []flow.Option{flow.Attempts(2, flow.Backoff{})}, func(context.Context, int) error { panic("ouch") },
			JobFailed, 2, 0, "handler panicked: ouch"},
		{"times out", []flow.Option{flow.Timeout(time.Second)}, func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return ctx.Err()
		}, JobFailed, 1, time.Second, "timed out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := open(t)
				j := Job[int]("q", "j", c.options...)
				calls := 0
				var end time.Time
				p.work(t, 1, j.Handle(func(ctx context.Context, v int) error {
					calls++
					if info, _ := JobInfo(ctx); info.Attempt != calls || v != 42 {
						t.Errorf("call %d: attempt %d, value %d", calls, info.Attempt, v)
					}
					defer func() { end = time.Now() }()
					return c.handle(ctx, calls)
				}))
				start := time.Now()
				id := enqueueOne(t, p, j, 42)
				time.Sleep(c.took + 30*time.Minute) // finished jobs are kept for longer
				synctest.Wait()
				got, err := p.GetJob(t.Context(), "q", id)
				if err != nil {
					t.Fatal(err)
				}
				if got.State != c.state || calls != c.attempts || end.Sub(start) != c.took ||
					c.err != "" && !strings.Contains(got.Error, c.err) {
					t.Errorf("%s after %d calls in %v: %q", got.State, calls, end.Sub(start), got.Error)
				}
			})
		})
	}
}

func TestJobThatDoesNotDecodeFailsForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := open(t)
		send := Job[email]("mail", "send", flow.Attempts(9, flow.Backoff{}))
		p.work(t, 1, send.Handle(func(context.Context, email) error { t.Error("it ran"); return nil }))
		id, err := p.Enqueue(t.Context(), "mail", JobInput{Name: "send", Data: 7, Attempts: 9})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		j, err := p.GetJob(t.Context(), "mail", id)
		want := `decode data of job "send" as nvent.email`
		if err != nil || j.State != JobFailed || j.Attempt != 1 || !strings.Contains(j.Error, want) {
			t.Errorf("job is %s after %d attempts: %q, %v", j.State, j.Attempt, j.Error, err)
		}
	})
}

// TestHandlerBoundsJobsThatSetNoTimeout: those that foreign programs have enqueued.
func TestHandlerBoundsJobsThatSetNoTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := open(t)
		j := Job[int]("q", "j", flow.Timeout(time.Second))
		p.work(t, 1, j.Handle(func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return errors.New("interrupted")
		}))
		id, err := p.Enqueue(t.Context(), "q", JobInput{Name: "j", Data: 1})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		got, err := p.GetJob(t.Context(), "q", id)
		if want := `interrupted (timed out: job "j" ran longer than 1s)`; err != nil || got.Error != want {
			t.Errorf("error is %q, %v; want %q", got.Error, err, want)
		}
	})
}

func TestEnqueueAllOfATypedJob(t *testing.T) {
	t.Parallel()
	p := open(t)
	j := Job[int]("q", "j")
	a := &App{queue: p.Queue}
	ids, err := j.EnqueueAll(t.Context(), a, []int{1, 2, 3}, Delay(time.Hour), Priority(5))
	if err != nil || len(ids) != 3 {
		t.Fatalf("IDs are %v, %v", ids, err)
	}
	for i, id := range ids {
		got, err := p.GetJob(t.Context(), "q", id)
		if err != nil || string(got.Data) != fmt.Sprint(i+1) || got.State != JobDelayed || got.Priority != 5 {
			t.Errorf("job %d is %+v, %v", i, got, err)
		}
	}
	if ids, err := j.EnqueueAll(t.Context(), a, nil); len(ids) != 0 || err != nil {
		t.Errorf("no values: %v, %v", ids, err)
	}
	_, err = j.EnqueueAll(t.Context(), a, []int{1, 2}, Unique("k"))
	checkProblem(t, "unique", err, ErrInvalid, "a key of its own")
	id, err := j.Enqueue(t.Context(), a, 1, Unique("k"), At(time.Now().Add(time.Hour)))
	if err != nil || id != JobID("q", "k") {
		t.Errorf("ID is %s, %v", id, err)
	}
	_, err = Job[func()]("q", "j").Enqueue(t.Context(), a, nil)
	checkProblem(t, "func", err, ErrInvalid, `job "j": invalid argument: encode func() as JSON`)
	_, err = Job[json.RawMessage]("q", "j").Enqueue(t.Context(), a, json.RawMessage("[1,"))
	checkProblem(t, "raw", err, ErrInvalid, "JSON at offset 3")
}

func TestJobDefinitionMistakes(t *testing.T) {
	t.Parallel()
	p := open(t)
	for want, j := range map[string]*JobType[int]{
		`define job: "j" on queue "a b": invalid argument: the name of the queue "a b" has a ' ' in it`: Job[int]("a b", "j"),
		`the name of the job is empty`:             Job[int]("q", ""),
		`flow.ContinueOnFailure is for steps only`: Job[int]("q", "j", flow.ContinueOnFailure()),
		`0 attempts`: Job[int]("q", "j", flow.Attempts(0, flow.Backoff{})),
	} {
		_, err := j.enqueue(t.Context(), p.Queue, []int{1}, nil)
		checkProblem(t, "enqueue", err, ErrInvalid, want)
		checkProblem(t, "handle", j.Handle(func(context.Context, int) error { return nil }).register(nil), ErrInvalid, want)
		checkProblem(t, "batch", j.HandleBatch(2, func(context.Context, []int) []error { return nil }).register(nil), ErrInvalid, want)
	}
	good := Job[int]("q", "j")
	checkProblem(t, "nil", good.Handle(nil).register(nil), ErrInvalid, "function is nil")
	checkProblem(t, "nil batch", good.HandleBatch(1, nil).register(nil), ErrInvalid, "function is nil")
	empty := good.HandleBatch(0, func(context.Context, []int) []error { return nil })
	checkProblem(t, "size", empty.register(nil), ErrInvalid, "a batch of 0")
}

func TestOutsideOfAHandler(t *testing.T) {
	t.Parallel()
	if info, ok := JobInfo(t.Context()); ok {
		t.Errorf("info is %+v", info)
	}
	checkProblem(t, "progress", Progress(t.Context(), 1), ErrInvalid, "not that of a job's handler")
	checkProblem(t, "log", JobLog(t.Context(), "line"), ErrInvalid, "not that of a job's handler")
}

// plainQueue is a queue without progress and log lines.
type plainQueue struct{ adapter.Queue }

func (q plainQueue) Info() adapter.Info {
	info := q.Queue.Info()
	info.Caps &^= adapter.CapAnnotate
	return info
}

func TestProgressUnsupported(t *testing.T) {
	t.Parallel()
	p := open(t)
	ctx := engine.WithJob(t.Context(), &adapter.Delivery{}, plainQueue{p.drivers.queue})
	checkProblem(t, "progress", Progress(ctx, 1), ErrUnsupported, "memory: set progress")
	_, _, err := newQueue(plainQueue{p.drivers.queue}, p.Queue.o).JobLog(t.Context(), "q", "id", 0, 0)
	checkProblem(t, "log", err, ErrUnsupported, "memory: read job log")
}

func TestStorableText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"fine": "fine", "a\x00b": "a\uFFFDb", "a\xffb": "a\uFFFDb",
		strings.Repeat("x", maxText+1): strings.Repeat("x", maxText-len("\n... (cut)")) + "\n... (cut)",
	} {
		if got := storableText(in); got != want {
			t.Errorf("%.20q: %.20q, want %.20q", in, got, want)
		}
	}
}

func TestRetryOfAFailedJobBeginsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := open(t)
		j := Job[int]("q", "j", flow.Attempts(2, flow.Backoff{}))
		var attempts []int
		p.work(t, 1, j.Handle(func(ctx context.Context, _ int) error {
			info, _ := JobInfo(ctx)
			if attempts = append(attempts, info.Attempt); len(attempts) > 2 {
				return nil
			}
			return errors.New("boom")
		}))
		id := enqueueOne(t, p, j, 1)
		synctest.Wait()
		if n, err := p.Retry(t.Context(), "q", id); n != 1 || err != nil {
			t.Errorf("retried %d, %v", n, err)
		}
		synctest.Wait()
		got, err := p.GetJob(t.Context(), "q", id)
		if err != nil || got.State != JobCompleted || !slices.Equal(attempts, []int{1, 2, 1}) {
			t.Errorf("job is %s after the attempts %v, %v", got.State, attempts, err)
		}
	})
}
