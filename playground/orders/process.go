package orders

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvent-go/nvent"
)

// Report is what became of the input.
type Report struct {
	Files      []string       `json:"files"`
	Lines      int            `json:"lines"`
	Malformed  []BadLine      `json:"malformed"`
	Duplicates int            `json:"duplicates"`
	Runs       int            `json:"runs"`
	Status     map[string]int `json:"status"`  // settlements by status
	Retried    int            `json:"retried"` // orders whose charge needed more than one attempt
	Cents      int64          `json:"cents"`   // total of what was shipped
	Pieces     int            `json:"pieces"`  // that were shipped
	Failed     []string       `json:"failed"`  // runs that failed: none should
	Seconds    float64        `json:"seconds"` // from the first line to the last settlement
	Orders     []Settlement   `json:"-"`       // in no order
}

// Progress counts while orders are processed. Its fields may be read at any time.
type Progress struct {
	Lines, Started, Ended atomic.Int64
}

// maxWaiting bounds the runs that are started and not yet settled, so that a large file does not fill the memory.
const maxWaiting = 2000

// Process starts a run for every order of the files and waits for all of them. Lines that repeat an order's ID start
// nothing: the ID is the run's key.
func Process(ctx context.Context, app *nvent.App, files []string, p *Progress) (*Report, error) {
	f := Flow()
	began := time.Now()
	rep := &Report{Files: files, Malformed: []BadLine{}, Status: map[string]int{}, Failed: []string{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	room := make(chan struct{}, maxWaiting)
	for _, file := range files {
		err := Read(file, func(line int, o Order) error {
			p.Lines.Add(1)
			// The flow has been added to the app under its name, so any flow value of the same content stands for it.
			run, err := nvent.Start(ctx, app, f, o, nvent.WithKey(o.ID))
			if err != nil {
				return fmt.Errorf("%s, line %d: %w", file, line, err)
			}
			if run.Existing() {
				mu.Lock()
				rep.Duplicates++
				mu.Unlock()
				return nil
			}
			p.Started.Add(1)
			room <- struct{}{}
			wg.Go(func() {
				defer func() { <-room; p.Ended.Add(1) }()
				s, err := run.Wait(ctx)
				mu.Lock()
				defer mu.Unlock()
				rep.add(o.ID, s, err)
			})
			return nil
		}, func(b BadLine) {
			p.Lines.Add(1)
			mu.Lock()
			defer mu.Unlock()
			rep.Malformed = append(rep.Malformed, b)
		})
		if err != nil {
			wg.Wait()
			return nil, err
		}
	}
	wg.Wait()
	rep.Lines = int(p.Lines.Load())
	rep.Runs = int(p.Started.Load())
	rep.Seconds = time.Since(began).Seconds()
	if err := ctx.Err(); err != nil {
		return rep, fmt.Errorf("process orders: %w", errors.Join(err, context.Cause(ctx)))
	}
	return rep, nil
}

func (r *Report) add(order string, s Settlement, err error) {
	if err != nil {
		r.Failed = append(r.Failed, order+": "+err.Error())
		return
	}
	r.Orders = append(r.Orders, s)
	r.Status[s.Status]++
	if s.Attempts > 1 {
		r.Retried++
	}
	if s.Status == "shipped" {
		r.Cents += s.Total
		r.Pieces += s.Pieces
	}
}
