package nvent

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

func TestEnqueueCarriesEveryField(t *testing.T) {
	t.Parallel()
	p := open(t)
	runAt := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	id, err := p.Enqueue(t.Context(), "mail", JobInput{
		Name: "send", Data: map[string]int{"n": 1}, Attempts: 7,
		Backoff: flow.Exponential(time.Second).WithMax(time.Minute).WithJitter(0.5),
		RunAt:   runAt, Priority: 3, Timeout: time.Minute,
		Labels: map[string]string{"l": "v"}, Headers: map[string]string{"h": "w"},
	})
	if err != nil {
		t.Fatal(err)
	}
	j, err := p.GetJob(t.Context(), "mail", id)
	if err != nil {
		t.Fatal(err)
	}
	want := adapter.Backoff{Kind: adapter.BackoffExponential, Base: time.Second, Max: time.Minute, Jitter: 0.5}
	if j.ID != id || j.Queue != "mail" || j.Name != "send" || string(j.Data) != `{"n":1}` || j.Attempts != 7 || j.Backoff != want ||
		!j.RunAt.Equal(runAt) || j.Priority != 3 || j.Timeout != time.Minute || j.Labels["l"] != "v" || j.Headers["h"] != "w" ||
		j.State != JobDelayed || j.Redeliver != redeliveries || j.CreatedAt.IsZero() {
		t.Errorf("job is %+v", j)
	}
}

func TestEnqueueTakesTheConfiguredAttempts(t *testing.T) {
	t.Parallel()
	p := open(t)
	p.Queue.o.attempts, p.Queue.o.backoff = 4, adapter.Backoff{Kind: adapter.BackoffFixed, Base: time.Second}
	for _, c := range []struct {
		in       JobInput
		attempts int
		base     time.Duration
	}{
		{JobInput{Name: "a"}, 4, time.Second},
		{JobInput{Name: "a", Attempts: 2}, 2, time.Second},
		{JobInput{Name: "a", Backoff: flow.Fixed(time.Minute)}, 4, time.Minute},
	} {
		id, err := p.Enqueue(t.Context(), "q", c.in)
		if err != nil {
			t.Fatal(err)
		}
		j, err := p.GetJob(t.Context(), "q", id)
		if err != nil {
			t.Fatal(err)
		}
		if j.Attempts != c.attempts || j.Backoff.Base != c.base {
			t.Errorf("%+v: %d attempts, back-off %v", c.in, j.Attempts, j.Backoff)
		}
	}
}

func TestEnqueueRefuses(t *testing.T) {
	t.Parallel()
	p := open(t)
	ok := JobInput{Name: "a"}
	with := func(f func(*JobInput)) JobInput { j := ok; f(&j); return j }
	for _, c := range []struct {
		queue string
		job   JobInput
		kind  error
		want  string
	}{
		{"", ok, ErrInvalid, "memory: enqueue: invalid argument: the name of the queue is empty (use 1 to 128"},
		{"q", JobInput{}, ErrInvalid, `memory: enqueue: job "": invalid argument: the name of the job is empty`},
		{"q", with(func(j *JobInput) { j.Data = func() {} }), ErrInvalid, "encode func() as JSON"},
		{"q", with(func(j *JobInput) { j.Data = json.RawMessage("{") }), ErrInvalid, "JSON at offset 1"},
		{"q", with(func(j *JobInput) { j.Data = "a\x00b" }), ErrInvalid, "U+0000"},
		{"q", with(func(j *JobInput) { j.Data = strings.Repeat("x", 1<<20) }), ErrTooLarge,
			"payload of 1048578 bytes: too large (the limit is 1048576;"},
		{"q", with(func(j *JobInput) { j.Data = json.RawMessage(`{"nvent": {"token":{}}}`) }), ErrInvalid, "marks the steps of flows"},
		{"q", with(func(j *JobInput) { j.Attempts = -1 }), ErrInvalid, "-1 attempts"},
		{"q", with(func(j *JobInput) { j.Backoff.Kind = "linear" }), ErrInvalid, `"linear"`},
		{"q", with(func(j *JobInput) { j.Delay = -1 }), ErrInvalid, "delay is negative"},
		{"q", with(func(j *JobInput) { j.Timeout = -1 }), ErrInvalid, "timeout is negative"},
		{"q", with(func(j *JobInput) { j.Delay, j.RunAt = 1, time.Now() }), ErrInvalid, "a Delay and a RunAt"},
		{"q", with(func(j *JobInput) { j.Priority = maxPriority + 1 }), ErrInvalid, "priority 1000001"},
		{"q", with(func(j *JobInput) { j.Key = "a\nb" }), ErrInvalid, "key of the job"},
		{"q", with(func(j *JobInput) { j.Labels = map[string]string{"": "v"} }), ErrInvalid, "label"},
		{"q", with(func(j *JobInput) { j.Headers = map[string]string{"": "v"} }), ErrInvalid, "header"},
	} {
		id, err := p.Enqueue(t.Context(), c.queue, c.job)
		checkProblem(t, c.want, err, c.kind, c.want)
		if err == nil {
			t.Errorf("%s: enqueued as %s", c.want, id)
		}
	}
	if c, err := p.Counts(t.Context(), "q"); err != nil || c != (JobCounts{}) {
		t.Errorf("counts are %+v, %v: something was enqueued", c, err)
	}
}

func TestEnqueueAllRefusesAllOrNone(t *testing.T) {
	t.Parallel()
	p := open(t)
	_, err := p.EnqueueAll(t.Context(), "q", JobInput{Name: "good"}, JobInput{Name: "bad", Delay: -1})
	checkProblem(t, "second", err, ErrInvalid, `job 2 of 2 ("bad")`)
	if c, err := p.Counts(t.Context(), "q"); err != nil || c.Waiting != 0 {
		t.Errorf("counts are %+v, %v", c, err)
	}
	if ids, err := p.EnqueueAll(t.Context(), "q"); len(ids) != 0 || err != nil {
		t.Errorf("no jobs: %v, %v", ids, err)
	}
}

func TestEnqueueWithAKeyAddsOneJob(t *testing.T) {
	t.Parallel()
	p := open(t)
	first, err := p.Enqueue(t.Context(), "q", JobInput{Name: "a", Key: "42", Data: 1})
	if err != nil {
		t.Fatal(err)
	}
	second, err := p.Enqueue(t.Context(), "q", JobInput{Name: "a", Key: "42", Data: 2})
	if err != nil {
		t.Fatal(err)
	}
	if first != second || first != JobID("q", "42") {
		t.Errorf("IDs are %s and %s, want %s", first, second, JobID("q", "42"))
	}
	j, err := p.GetJob(t.Context(), "q", first)
	if err != nil || string(j.Data) != "1" {
		t.Errorf("data is %s, %v; want that of the first", j.Data, err)
	}
}

func TestScheduleDelays(t *testing.T) {
	t.Parallel()
	p := open(t)
	id, err := p.Schedule(t.Context(), "q", JobInput{Name: "a"}, ScheduleOptions{Delay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	j, err := p.GetJob(t.Context(), "q", id)
	if err != nil || j.State != JobDelayed || time.Until(j.RunAt) < 59*time.Minute {
		t.Errorf("job is %s until %v, %v", j.State, j.RunAt, err)
	}
	_, err = p.Schedule(t.Context(), "q", JobInput{Name: "a"}, ScheduleOptions{Cron: "* * * * *"})
	checkProblem(t, "cron", err, ErrUnsupported, "add a trigger to the App")
	_, err = p.Schedule(t.Context(), "q", JobInput{Name: "a", Delay: 1}, ScheduleOptions{Delay: 1})
	checkProblem(t, "two delays", err, ErrInvalid, "set one")
}

func TestPausedIsDerived(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	id, err := p.Enqueue(ctx, "q", JobInput{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Enqueue(ctx, "q", JobInput{Name: "later", Delay: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		paused bool
		state  JobState
		counts JobCounts
	}{
		{false, JobWaiting, JobCounts{Waiting: 1, Delayed: 1}},
		{true, JobPaused, JobCounts{Paused: 1, Delayed: 1}},
		{false, JobWaiting, JobCounts{Waiting: 1, Delayed: 1}},
	} {
		set := p.Resume
		if c.paused {
			set = p.Pause
		}
		if err := set(ctx, "q"); err != nil {
			t.Fatal(err)
		}
		if paused, err := p.IsPaused(ctx, "q"); err != nil || paused != c.paused {
			t.Errorf("paused is %v, %v; want %v", paused, err, c.paused)
		}
		if j, err := p.GetJob(ctx, "q", id); err != nil || j.State != c.state {
			t.Errorf("state is %s, %v; want %s", j.State, err, c.state)
		}
		counts, err := p.Counts(ctx, "q")
		if counts.OldestWaiting.IsZero() {
			t.Error("OldestWaiting is not there")
		}
		if counts.OldestWaiting = (time.Time{}); err != nil || counts != c.counts {
			t.Errorf("counts are %+v, %v; want %+v", counts, err, c.counts)
		}
		for _, q := range []struct {
			states []JobState
			found  bool
		}{
			{[]JobState{c.state}, true},
			{[]JobState{JobWaiting, JobPaused}, true},
			{[]JobState{other(c.state)}, false},
			{[]JobState{other(c.state), JobFailed}, false},
		} {
			page, err := p.Jobs(ctx, "q", JobsQuery{States: q.states})
			found := slices.ContainsFunc(page.Items, func(j JobSnapshot) bool { return j.ID == id && j.State == c.state })
			if err != nil || found != q.found {
				t.Errorf("paused %v: jobs in %v: found %v, %v", c.paused, q.states, found, err)
			}
		}
	}
}

// other returns paused for waiting, and waiting for paused.
func other(s JobState) JobState {
	if s == JobPaused {
		return JobWaiting
	}
	return JobPaused
}

func TestJobsSelects(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	for _, name := range []string{"a", "b", "a"} {
		if _, err := p.Enqueue(ctx, "q", JobInput{Name: name, Labels: map[string]string{"kind": name}}); err != nil {
			t.Fatal(err)
		}
	}
	page, err := p.Jobs(ctx, "q", JobsQuery{Name: "a", Limit: 1})
	if err != nil || len(page.Items) != 1 || page.Next == "" {
		t.Fatalf("first page: %+v, %v", page, err)
	}
	page, err = p.Jobs(ctx, "q", JobsQuery{Name: "a", Limit: 1, Cursor: page.Next})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("second page: %+v, %v", page, err)
	}
	page, err = p.Jobs(ctx, "q", JobsQuery{Label: "kind", Value: "b"})
	if err != nil || len(page.Items) != 1 || page.Items[0].Name != "b" {
		t.Errorf("by label: %+v, %v", page, err)
	}
	for want, q := range map[string]JobsQuery{
		"limit -1":     {Limit: -1},
		"limit 10001":  {Limit: 10_001},
		"but no label": {Value: "v"},
		`"sleeping"`:   {States: []JobState{"sleeping"}},
	} {
		_, err := p.Jobs(ctx, "q", q)
		checkProblem(t, want, err, ErrInvalid, want)
	}
	_, err = p.GetJob(ctx, "q", newID(time.Now()))
	checkProblem(t, "unknown", err, ErrNotFound, "nvent.JobID")
}

func TestQueueActions(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	ids, err := p.EnqueueAll(ctx, "q",
		JobInput{Name: "a"}, JobInput{Name: "b", Delay: time.Hour}, JobInput{Name: "c"}, JobInput{Name: "d"})
	if err != nil {
		t.Fatal(err)
	}
	for what, act := range map[string]func() (int, error){
		"promote": func() (int, error) { return p.Promote(ctx, "q", ids[0], ids[1]) },
		"remove":  func() (int, error) { return p.Remove(ctx, "q", ids[2]) },
		"cancel":  func() (int, error) { return p.Cancel(ctx, "q", ids[3]) },
	} {
		if n, err := act(); n != 1 || err != nil {
			t.Errorf("%s: %d, %v; want 1", what, n, err)
		}
	}
	if n, err := p.Remove(ctx, "q"); n != 0 || err != nil {
		t.Errorf("no IDs: %d, %v", n, err)
	}
	if n, err := p.Apply(ctx, "q", ActionRemove, JobsQuery{Name: "a"}); n != 1 || err != nil {
		t.Errorf("apply: %d, %v", n, err)
	}
	if n, err := p.Apply(ctx, "q", ActionRemove, JobsQuery{States: []JobState{JobPaused}}); n != 0 || err != nil {
		t.Errorf("apply to paused jobs of a queue that is not: %d, %v", n, err)
	}
	if c, err := p.Counts(ctx, "q"); err != nil || c.Waiting != 1 || c.Delayed != 0 {
		t.Errorf("counts are %+v, %v; want job b waiting", c, err)
	}
	_, err = p.Apply(ctx, "q", "explode", JobsQuery{})
	checkProblem(t, "action", err, ErrInvalid, `"explode"`)
	_, err = p.Apply(ctx, "q", ActionRemove, JobsQuery{Cursor: "c"})
	checkProblem(t, "cursor", err, ErrInvalid, "cursor")
	if names, err := p.Queues(ctx); err != nil || !slices.Equal(names, []string{"q"}) {
		t.Errorf("queues are %q, %v", names, err)
	}
}

func TestOnHearsTheEventsOfAQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, ctx := open(t), t.Context()
		var all, paused []EventType
		offAll, err := p.On(ctx, "q", "", func(e QueueEvent) { all = append(all, e.Type) })
		if err != nil {
			t.Fatal(err)
		}
		off, err := p.On(ctx, "q", EventPaused, func(e QueueEvent) {
			paused = append(paused, e.Type)
			panic("ouch")
		})
		if err != nil {
			t.Fatal(err)
		}
		do := func(err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		_, err = p.Enqueue(ctx, "q", JobInput{Name: "a"})
		do(err)
		do(p.Pause(ctx, "q"))
		off()
		off()
		do(p.Resume(ctx, "q"))
		do(p.Pause(ctx, "q"))
		offAll()
		do(p.Resume(ctx, "q"))
		for _, want := range []EventType{EventAdded, EventPaused, EventResumed} {
			if !slices.Contains(all, want) {
				t.Errorf("listener of all events heard %q, not %s", all, want)
			}
		}
		if len(paused) != 1 || all[len(all)-1] != EventPaused {
			t.Errorf("heard %q and %q after off", all, paused)
		}
		if !strings.Contains(p.log.String(), "ouch") {
			t.Error("the panic of a listener is not logged")
		}
		if n := len(p.watches.byQueue); n != 0 {
			t.Errorf("%d watches are left when nobody listens", n)
		}
	})
}

func TestOnRefuses(t *testing.T) {
	t.Parallel()
	p := open(t)
	fn := func(QueueEvent) {}
	_, err := p.On(t.Context(), "q", "exploded", fn)
	checkProblem(t, "event", err, ErrInvalid, `"exploded"`)
	_, err = p.On(t.Context(), "", "", fn)
	checkProblem(t, "queue", err, ErrInvalid, "queue is empty")
	_, err = p.On(t.Context(), "q", "", nil)
	checkProblem(t, "nil", err, ErrInvalid, "nil")
	p.Queue.close()
	_, err = p.On(t.Context(), "q", "", fn)
	checkProblem(t, "closed", err, ErrClosed, "closed")
}

// failingWatch is a queue that cannot be watched.
type failingWatch struct{ adapter.Queue }

func (failingWatch) Watch(context.Context, string, func(), func(adapter.QueueEvent)) error {
	return ErrUnavailable
}

func TestOnReturnsWhyItCannotListen(t *testing.T) {
	t.Parallel()
	p := open(t)
	q := newQueue(failingWatch{p.drivers.queue}, p.Queue.o)
	defer q.close()
	off, err := q.On(t.Context(), "q", "", func(QueueEvent) {})
	if off != nil || !errors.Is(err, ErrUnavailable) {
		t.Errorf("error is %v, want %v", err, ErrUnavailable)
	}
}
