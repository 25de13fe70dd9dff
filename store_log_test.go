package nvent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// appendSome appends events of type t1, t2, ... and returns their records.
func appendSome(t testing.TB, p *portable, subject string, n int) []EventRecord {
	t.Helper()
	events := make([]EventInput, n)
	for i := range events {
		events[i] = EventInput{Type: fmt.Sprintf("t%d", i+1), Data: i + 1}
	}
	records, err := p.AppendAll(t.Context(), subject, events...)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestAppendCarriesEveryField(t *testing.T) {
	t.Parallel()
	p := open(t)
	in := EventInput{Type: "paid", Data: map[string]int{"n": 1}, RunID: "r", FlowName: "f", StepName: "s", StepID: "s#1", Attempt: 2}
	got, err := p.Append(t.Context(), "orders/42", in)
	if err != nil {
		t.Fatal(err)
	}
	read, err := p.Read(t.Context(), "orders/42", ReadOptions{})
	if err != nil || len(read) != 1 {
		t.Fatalf("read %v, %v", read, err)
	}
	for what, r := range map[string]EventRecord{"appended": got, "read": read[0]} {
		if r.Seq != 1 || r.ID() != "1" || r.At.IsZero() || r.Type != "paid" || string(r.Data) != `{"n":1}` || r.RunID != "r" ||
			r.FlowName != "f" || r.StepName != "s" || r.StepID != "s#1" || r.Attempt != 2 {
			t.Errorf("%s: %+v", what, r)
		}
	}
	if !got.At.Equal(read[0].At) {
		t.Errorf("appended at %v, read at %v", got.At, read[0].At)
	}
	var data struct{ N int }
	if err := got.Decode(&data); err != nil || data.N != 1 {
		t.Errorf("data is %+v, %v", data, err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	p := open(t)
	appendSome(t, p, "s", 5)
	for _, c := range []struct {
		name string
		o    ReadOptions
		want []uint64
	}{
		{"all", ReadOptions{}, []uint64{1, 2, 3, 4, 5}},
		{"from is inclusive", ReadOptions{FromID: 4}, []uint64{4, 5}},
		{"after is exclusive", ReadOptions{After: 4}, []uint64{5}},
		{"limit", ReadOptions{After: 1, Limit: 2}, []uint64{2, 3}},
		{"backward", ReadOptions{Direction: Backward, Limit: 2}, []uint64{5, 4}},
		{"backward from", ReadOptions{Direction: Backward, FromID: 2}, []uint64{2, 1}},
		{"backward after", ReadOptions{Direction: Backward, After: 2}, []uint64{1}},
		{"types", ReadOptions{Direction: Forward, Types: []string{"t2", "t4"}}, []uint64{2, 4}},
	} {
		records, err := p.Read(t.Context(), "s", c.o)
		var got []uint64
		for _, r := range records {
			got = append(got, r.Seq)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
	}
	if records, err := p.Read(t.Context(), "nothing", ReadOptions{}); len(records) != 0 || err != nil {
		t.Errorf("a log that does not exist: %v, %v", records, err)
	}
	for want, o := range map[string]ReadOptions{
		"use one": {FromID: 1, After: 1}, "limit -1": {Limit: -1}, `"up"`: {Direction: "up"},
	} {
		_, err := p.Read(t.Context(), "s", o)
		checkProblem(t, want, err, ErrInvalid, want)
	}
}

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	for want, e := range map[string]EventInput{
		"type of the event is empty": {},
		"attempt is negative":        {Type: "t", Attempt: -1},
		"RunID":                      {Type: "t", RunID: "a\x00"},
		"encode func() as JSON":      {Type: "t", Data: func() {}},
	} {
		_, err := p.AppendAll(ctx, "s", EventInput{Type: "good"}, e)
		checkProblem(t, want, err, ErrInvalid, want)
		checkProblem(t, want, err, ErrInvalid, "memory: append: event 2 to s: ")
	}
	_, err := p.Append(ctx, "", EventInput{Type: "t"})
	checkProblem(t, "subject", err, ErrInvalid, "subject is empty")
	if records, err := p.Read(ctx, "s", ReadOptions{}); len(records) != 0 || err != nil {
		t.Errorf("something was appended: %v, %v", records, err)
	}
}

func TestRunLogsAreReadOnly(t *testing.T) {
	t.Parallel()
	p, ctx := open(t), t.Context()
	const run = "0197c7c0-0000-7000-8000-000000000000"
	log := adapter.Append{Subject: run, Records: []adapter.Record{
		{Type: "flow.started", Flow: "f", Epoch: 1},
		{Type: "emit", Flow: "f", Step: "s", Iteration: 2, Scope: "/g7:3", Key: "e", Causes: []uint64{1}},
	}}
	_, err := p.drivers.store.Commit(ctx, adapter.Batch{Partition: run, Appends: []adapter.Append{log}})
	if err != nil {
		t.Fatal(err)
	}
	records, err := p.Read(ctx, RunSubject(run), ReadOptions{})
	if err != nil || len(records) != 2 {
		t.Fatalf("read %v, %v", records, err)
	}
	if r := records[0]; r.RunID != run || r.FlowName != "f" || r.Epoch != 1 || r.StepID != "" {
		t.Errorf("first record is %+v", r)
	}
	if r := records[1]; r.StepID != "/g7:3/s#2" || r.Scope != "/g7:3" || r.Key != "e" || !slices.Equal(r.Causes, []uint64{1}) {
		t.Errorf("second record is %+v", r)
	}
	_, err = p.Append(ctx, RunSubject(run), EventInput{Type: "forged"})
	checkProblem(t, "run", err, ErrInvalid, "only the engine writes it")

	// A subject that looks like a run is a program's own, and stays apart.
	if _, err := p.Append(ctx, run, EventInput{Type: "mine"}); err != nil {
		t.Fatal(err)
	}
	if records, err := p.Read(ctx, run, ReadOptions{}); err != nil || len(records) != 1 || records[0].Type != "mine" {
		t.Errorf("read %v, %v", records, err)
	}
	_, err = p.Read(ctx, RunSubject(ownPrefix+run), ReadOptions{})
	checkProblem(t, "back door", err, ErrInvalid, "is not the log of a run")
}

func TestFollowGoesOnAndResumes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := open(t)
		appendSome(t, p, "s", 3)
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("enough")
		var got []uint64
		var ended error
		done := make(chan struct{})
		go func() {
			defer close(done)
			for r, err := range p.Follow(ctx, "s", 1) {
				if err != nil {
					ended = err
					return
				}
				got = append(got, r.Seq)
			}
		}()
		synctest.Wait()
		if !slices.Equal(got, []uint64{2, 3}) {
			t.Errorf("read %v, want 2 and 3", got)
		}
		start := time.Now()
		appendSome(t, p, "s", 2)
		synctest.Wait()
		if !slices.Equal(got, []uint64{2, 3, 4, 5}) || time.Since(start) != 0 {
			t.Errorf("followed %v in %v, want 2 to 5 at once", got, time.Since(start))
		}
		cancel(why)
		<-done
		if !errors.Is(ended, why) {
			t.Errorf("ended with %v, want %v", ended, why)
		}
		ctx, cancelEnd := context.WithTimeout(t.Context(), time.Minute)
		defer cancelEnd()
		for r, err := range p.Follow(ctx, "s", 5) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("read %v, %v from the end", r, err)
			}
		}
	})
}

func TestFollowReadsMoreThanAPage(t *testing.T) {
	t.Parallel()
	p := open(t)
	const n = followPage + 7
	appendSome(t, p, "s", n)
	count := uint64(0)
	for r, err := range p.Follow(t.Context(), "s", 0) {
		if count++; err != nil || r.Seq != count {
			t.Fatalf("record %d: %v, %v", count, r, err)
		}
		if count == n {
			break
		}
	}
}

// TestFollowPollsWithoutHints: without a stream, or when a hint is lost, a follower is late but complete.
func TestFollowPollsWithoutHints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := open(t)
		p.Store.o.stream = nil
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			time.Sleep(time.Second)
			appendSome(t, p, "s", 1)
		}()
		start := time.Now()
		for _, err := range p.Follow(ctx, "s", 0) {
			if took := time.Since(start); err != nil || took < time.Second || took > 2*pollFloor {
				t.Errorf("%v after %v", err, took)
			}
			break
		}
	})
}

func TestSubscribeToALogBeginsNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, ctx := open(t), t.Context()
		appendSome(t, p, "s", 2)
		var got []uint64
		sub, err := p.Store.Subscribe(ctx, "s", func(r EventRecord) {
			if got = append(got, r.Seq); r.Seq == 3 {
				panic("ouch")
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		appendSome(t, p, "s", 2)
		synctest.Wait()
		if !slices.Equal(got, []uint64{3, 4}) || !strings.Contains(p.log.String(), "ouch") {
			t.Errorf("got %v, log %q", got, p.log)
		}
		if sub.Topic() != "s" || sub.ID() == "" || sub.Err() != nil {
			t.Errorf("subscription %q to %q: %v", sub.ID(), sub.Topic(), sub.Err())
		}
		for range 2 {
			if err := sub.Unsubscribe(ctx); err != nil {
				t.Error(err)
			}
		}
		appendSome(t, p, "s", 1)
		synctest.Wait()
		if len(got) != 2 || sub.Err() != nil {
			t.Errorf("got %v, %v after Unsubscribe", got, sub.Err())
		}
	})
}

// flakyStore fails to read while down is set.
type flakyStore struct {
	adapter.Store
	down atomic.Pointer[error]
}

func (s *flakyStore) Read(ctx context.Context, subject string, r adapter.Range) ([]adapter.Record, error) {
	if err := s.down.Load(); err != nil {
		return nil, *err
	}
	return s.Store.Read(ctx, subject, r)
}

func TestSubscribeToALogOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, ctx := open(t), t.Context()
		flaky := &flakyStore{Store: p.drivers.store}
		s := newStore(flaky, p.Store.o)
		defer s.close()
		var got []uint64
		sub, err := s.Subscribe(ctx, "s", func(r EventRecord) { got = append(got, r.Seq) })
		if err != nil {
			t.Fatal(err)
		}
		unavailable := error(ErrUnavailable)
		flaky.down.Store(&unavailable)
		appendSome(t, p, "s", 2)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(got) != 0 || sub.Err() != nil {
			t.Fatalf("while the store is down: %v, %v", got, sub.Err())
		}
		flaky.down.Store(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if !slices.Equal(got, []uint64{1, 2}) {
			t.Errorf("got %v after the outage", got)
		}
		trimmed := error(&Trimmed{Subject: "s", First: 9})
		flaky.down.Store(&trimmed)
		appendSome(t, p, "s", 1)
		<-sub.Done()
		if !errors.Is(sub.Err(), ErrTrimmed) || !strings.Contains(p.log.String(), "subscription to a log has ended") {
			t.Errorf("ended with %v", sub.Err())
		}
	})
}

func TestClosedStoreTakesNoSubscription(t *testing.T) {
	t.Parallel()
	p := open(t)
	sub, err := p.Store.Subscribe(t.Context(), "s", func(EventRecord) {})
	if err != nil {
		t.Fatal(err)
	}
	p.Store.close()
	<-sub.Done()
	if sub.Err() != nil {
		t.Errorf("Close ended it with %v", sub.Err())
	}
	_, err = p.Store.Subscribe(t.Context(), "s", func(EventRecord) {})
	checkProblem(t, "closed", err, ErrClosed, "memory: subscribe")
}

// TestFollowHearsTheHintsOfRuns: the engine and followers agree on the topics.
func TestFollowHearsTheHintsOfRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		app, err := New(ctx, Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		f := flow.New[int, int]("f")
		flow.Returns(f, flow.Start(f, "s", func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Hour + pollFloor/2)
			return n, nil
		}, flow.Timeout(2*time.Hour)))
		if err := errors.Join(app.Add(f), app.Start(ctx)); err != nil {
			t.Fatal(err)
		}
		run, err := Start(ctx, app, f, 1)
		if err != nil {
			t.Fatal(err)
		}
		for r, err := range app.Store().Follow(ctx, RunSubject(run.ID()), 0) {
			last := r.Type == flow.RecordFlowCompleted
			if late := time.Since(r.At); err != nil || r.RunID != run.ID() || last && late > 100*time.Millisecond {
				t.Errorf("%s of run %s came %v late, %v", r.Type, r.RunID, late, err)
			}
			if err != nil || last {
				break
			}
		}
		if err := app.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}
