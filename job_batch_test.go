package nvent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

func TestBatchTakesWhatIsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := open(t)
		j := Job[int]("q", "j")
		if _, err := j.enqueue(t.Context(), p.Queue, []int{1, 2, 3, 4, 5, 6, 7}, nil); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var sizes, values []int
		p.work(t, 8, j.HandleBatch(3, func(ctx context.Context, vs []int) []error {
			if _, ok := JobInfo(ctx); ok {
				t.Error("a batch has the info of one job")
			}
			mu.Lock()
			defer mu.Unlock()
			sizes, values = append(sizes, len(vs)), append(values, vs...)
			return nil
		}))
		time.Sleep(time.Minute)
		synctest.Wait()
		slices.Sort(sizes)
		slices.Sort(values)
		if !slices.Equal(values, []int{1, 2, 3, 4, 5, 6, 7}) || !slices.Equal(sizes, []int{1, 3, 3}) {
			t.Errorf("batches of %v with %v", sizes, values)
		}
		if c, err := p.Counts(t.Context(), "q"); err != nil || c.Completed != 7 {
			t.Errorf("counts are %+v, %v", c, err)
		}
	})
}

func TestBatchLingersForAFewMilliseconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := open(t)
		j := Job[int]("q", "j")
		var waited time.Duration
		start := time.Now()
		p.work(t, 8, j.HandleBatch(100, func(context.Context, []int) []error {
			waited = time.Since(start)
			return nil
		}))
		enqueueOne(t, p, j, 1)
		time.Sleep(time.Second)
		synctest.Wait()
		if waited != batchLinger {
			t.Errorf("a batch of one waited for %v, want %v", waited, batchLinger)
		}
	})
}

func TestBatchSettlesEachByItsError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		handle func(ctx context.Context, vs []int) []error
		want   map[int]JobState
		calls  int
		err    string
	}{
		{"own errors", func(_ context.Context, vs []int) []error {
			errs := make([]error, len(vs))
			for i, v := range vs {
				switch v {
				case 2:
					errs[i] = errors.New("boom")
				case 3:
					errs[i] = flow.Permanent(errors.New("boom for good"))
				}
			}
			return errs
		}, map[int]JobState{1: JobCompleted, 2: JobFailed, 3: JobFailed}, 2, "boom"},
		{"wrong length", func(context.Context, []int) []error { return make([]error, 1) },
			map[int]JobState{1: JobFailed, 2: JobFailed, 3: JobFailed}, 1, `batch handler of job "j" returned 1 errors for 3 jobs`},
		{"panic", func(context.Context, []int) []error { panic("ouch") },
			map[int]JobState{1: JobFailed, 2: JobFailed, 3: JobFailed}, 2, "handler panicked: ouch"},
		{"timeout", func(ctx context.Context, vs []int) []error {
			<-ctx.Done()
			return slices.Repeat([]error{errors.New("boom")}, len(vs))
		}, map[int]JobState{1: JobFailed, 2: JobFailed, 3: JobFailed}, 2, "boom (timed out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := open(t)
				j := Job[int]("q", "j", flow.Attempts(2, flow.Fixed(time.Second)), flow.Timeout(time.Minute))
				calls := 0
				ids, err := j.enqueue(t.Context(), p.Queue, []int{1, 2, 3}, nil)
				if err != nil {
					t.Fatal(err)
				}
				p.work(t, 3, j.HandleBatch(3, func(ctx context.Context, vs []int) []error {
					calls++
					return c.handle(ctx, vs)
				}))
				time.Sleep(time.Hour / 2)
				synctest.Wait()
				for i, id := range ids {
					got, err := p.GetJob(t.Context(), "q", id)
					if err != nil || got.State != c.want[i+1] || got.State == JobFailed && !strings.Contains(got.Error, c.err) {
						t.Errorf("job %d is %s with %q, %v", i+1, got.State, got.Error, err)
					}
				}
				if calls != c.calls {
					t.Errorf("%d calls, want %d", calls, c.calls)
				}
			})
		})
	}
}

func TestBatchContextEndsWithTheLastOfItsJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testBatchContextEndsWithTheLast)
}

// In a bubble the batch cannot be handled before the second job has joined it, however slow the machine is.
func testBatchContextEndsWithTheLast(t *testing.T) {
	first, cancelFirst := context.WithCancelCause(t.Context())
	second, cancelSecond := context.WithCancelCause(t.Context())
	running := make(chan context.Context)
	b := &batcher[int]{job: Job[int]("q", "j"), size: 2, handler: func(ctx context.Context, vs []int) []error {
		running <- ctx
		<-ctx.Done()
		return slices.Repeat([]error{context.Cause(ctx)}, len(vs))
	}}
	var settled sync.WaitGroup
	for _, ctx := range []context.Context{first, second} {
		settled.Go(func() {
			s := b.handle(ctx, &adapter.Delivery{Job: adapter.Job{NewJob: adapter.NewJob{Data: []byte("1")}}})
			if s.Verdict != adapter.Fail || s.Err != ErrCanceled.Error() {
				t.Errorf("settled as %s with %q", s.Verdict, s.Err)
			}
		})
	}
	ctx := <-running
	cancelFirst(ErrCanceled)
	if ctx.Err() != nil {
		t.Errorf("it has ended with a job left: %v", context.Cause(ctx))
	}
	cancelSecond(ErrCanceled)
	settled.Wait()
}

func TestBatchThatEverybodyLeavesTakesNobodyIn(t *testing.T) {
	t.Parallel()
	b := &batcher[int]{job: Job[int]("q", "j"), size: 9}
	gone, _ := b.join(t.Context(), 1)
	b.leave(gone, ErrLeaseLost)
	if next, i := b.join(t.Context(), 2); next == gone || i != 0 || next.ctx.Err() != nil {
		t.Errorf("a job joined a batch whose context has ended: %v", context.Cause(next.ctx))
	}
	if cause := context.Cause(gone.ctx); !errors.Is(cause, ErrLeaseLost) {
		t.Errorf("cause is %v", cause)
	}
}
