package nvent

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// runPrefix begins the subjects of the logs of runs.
const runPrefix = "run:"

// RunSubject returns the subject of a run's log, for [Store.Read], [Store.Follow] and [Store.Subscribe]. Only the engine
// appends to it.
func RunSubject(runID string) string { return runPrefix + runID }

// EventInput is an event to append to a log.
type EventInput struct {
	Type string
	Data any // encoded as JSON; a json.RawMessage is taken as it is, nil is none

	// What the event is about, if it is about a run. All of them may be empty.
	RunID    string
	FlowName string
	StepName string
	StepID   string
	Attempt  int
}

// EventRecord is an event of a log.
type EventRecord struct {
	Seq  uint64    // 1, 2, 3, ... within the subject, without gaps
	At   time.Time // by the clock of the store
	Type string
	Data json.RawMessage // may be nil

	RunID    string
	FlowName string
	StepName string
	StepID   string // in the log of a run: step#iteration, with the scope in front where it is not "/"
	Attempt  int

	// Of the log of a run only: see the engine's records.
	Epoch  int
	Scope  string
	Key    string
	Causes []uint64
}

// ID returns the seq as a string.
func (e EventRecord) ID() string { return strconv.FormatUint(e.Seq, 10) }

// Decode decodes the data of the event. An event without data is an error.
func (e EventRecord) Decode(v any) error {
	if err := json.Unmarshal(e.Data, v); err != nil {
		return fmt.Errorf("decode event %d (%s) as %T: %w", e.Seq, e.Type, v, err)
	}
	return nil
}

// Direction is the order in which a log is read.
type Direction string

// The directions. The empty one is forward.
const (
	Forward  Direction = "forward"  // the oldest first
	Backward Direction = "backward" // the latest first
)

// ReadOptions selects events of a log. Zero fields do not select.
type ReadOptions struct {
	// FromID is the seq of the first event to read, After that of the one before it. At most one of them is set. Backward
	// they read from there towards the beginning.
	FromID, After uint64
	Limit         int // 0 = 1000
	Direction     Direction
	Types         []string // only events of these types
}

// Append adds an event to the log of a subject and returns it with its seq and time. Events of a subject are totally ordered
// and without gaps. The logs of runs are written by the engine alone.
func (s *Store) Append(ctx context.Context, subject string, event EventInput) (EventRecord, error) {
	records, err := s.AppendAll(ctx, subject, event)
	if err != nil {
		return EventRecord{}, err
	}
	return records[0], nil
}

// AppendAll is [Store.Append] for several events: all of them, in their order and one after the other, or none.
func (s *Store) AppendAll(ctx context.Context, subject string, events ...EventInput) ([]EventRecord, error) {
	const op = "append"
	if err := checkSubject(subject); err != nil {
		return nil, wrap(s.name, op, err)
	}
	if strings.HasPrefix(subject, runPrefix) {
		return nil, wrap(s.name, op, hinted(
			fmt.Errorf("%w: %q is the log of a run, and only the engine writes it", ErrInvalid, subject),
			"log from a step's handler, or append to a subject of your own"))
	}
	if len(events) == 0 {
		return nil, nil
	}
	records := make([]adapter.Record, len(events))
	for i, e := range events {
		r, err := s.record(e)
		if err != nil {
			return nil, wrap(s.name, op, about(fmt.Sprintf("event %d to %s", i+1, subject), err))
		}
		records[i] = r
	}
	stored := ownPrefix + subject
	done, err := s.driver.Commit(ctx, adapter.Batch{
		Partition: adapter.Partition(stored), Appends: []adapter.Append{{Subject: stored, Records: records}},
	})
	if err != nil {
		return nil, wrap(s.name, op, about(subject, err))
	}
	shown := make([]EventRecord, len(records))
	for i, r := range records {
		r.Seq, r.At = done.FirstSeq[0]+uint64(i), done.Now
		shown[i] = ownRecord(r)
	}
	s.hint(ctx, subject)
	return shown, nil
}

// Read returns events of the log of a subject. A log that does not exist is empty. Events that retention has removed are
// ErrTrimmed.
func (s *Store) Read(ctx context.Context, subject string, o ReadOptions) ([]EventRecord, error) {
	const op = "read"
	if err := checkSubject(subject); err != nil {
		return nil, wrap(s.name, op, err)
	}
	switch {
	case o.FromID != 0 && o.After != 0:
		return nil, wrap(s.name, op, fmt.Errorf("%w: FromID and After are both set; use one", ErrInvalid))
	case o.Limit < 0 || o.Limit > maxPage:
		return nil, wrap(s.name, op, fmt.Errorf("%w: limit %d: use 1 to %d, or 0 for the default", ErrInvalid, o.Limit, maxPage))
	case o.Direction != "" && o.Direction != Forward && o.Direction != Backward:
		return nil, wrap(s.name, op, fmt.Errorf("%w: direction %q: use forward or backward", ErrInvalid, o.Direction))
	}
	r := adapter.Range{After: o.After, Limit: o.Limit, Types: o.Types, Backward: o.Direction == Backward}
	if o.FromID != 0 && r.Backward {
		r.After = o.FromID + 1
	} else if o.FromID != 0 {
		r.After = o.FromID - 1
	}
	return s.readRange(ctx, subject, r)
}

func (s *Store) readRange(ctx context.Context, subject string, r adapter.Range) ([]EventRecord, error) {
	run, isRun := strings.CutPrefix(subject, runPrefix)
	stored := run
	if !isRun {
		stored = ownPrefix + subject
	}
	records, err := s.driver.Read(ctx, stored, r)
	if err != nil {
		return nil, wrap(s.name, "read", about(subject, err))
	}
	shown := make([]EventRecord, len(records))
	for i, r := range records {
		if isRun {
			shown[i] = runRecord(run, r)
		} else {
			shown[i] = ownRecord(r)
		}
	}
	return shown, nil
}

// record returns an event as it is stored. Scope and Key, which mean something to runs, hold the RunID and the StepID.
func (s *Store) record(e EventInput) (adapter.Record, error) {
	r := adapter.Record{
		Type: e.Type, Flow: e.FlowName, Step: e.StepName, Scope: e.RunID, Key: e.StepID, Attempt: e.Attempt,
	}
	if err := checkKey("type of the event", e.Type); err != nil {
		return r, err
	}
	for _, f := range [...]struct{ what, text string }{
		{"RunID", e.RunID}, {"FlowName", e.FlowName}, {"StepName", e.StepName}, {"StepID", e.StepID},
	} {
		if f.text == "" {
			continue
		}
		if err := checkKey(f.what, f.text); err != nil {
			return r, err
		}
	}
	if e.Attempt < 0 {
		return r, fmt.Errorf("%w: the attempt is negative: %d", ErrInvalid, e.Attempt)
	}
	if e.Data == nil {
		return r, nil
	}
	var err error
	r.Data, err = encodeJSON(e.Data, s.o.maxPayload)
	return r, err
}

func ownRecord(r adapter.Record) EventRecord {
	return EventRecord{
		Seq: r.Seq, At: r.At, Type: r.Type, Data: r.Data,
		RunID: r.Scope, FlowName: r.Flow, StepName: r.Step, StepID: r.Key, Attempt: r.Attempt,
	}
}

func runRecord(run string, r adapter.Record) EventRecord {
	e := EventRecord{
		Seq: r.Seq, At: r.At, Type: r.Type, Data: r.Data,
		RunID: run, FlowName: r.Flow, StepName: r.Step, Attempt: r.Attempt,
		Epoch: r.Epoch, Scope: r.Scope, Key: r.Key, Causes: r.Causes,
	}
	if r.Step != "" {
		e.StepID = r.Step + "#" + strconv.Itoa(r.Iteration)
		if r.Scope != "" && r.Scope != "/" {
			e.StepID = r.Scope + "/" + e.StepID
		}
	}
	return e
}

func checkSubject(subject string) error {
	if run, ok := strings.CutPrefix(subject, runPrefix); ok && (run == "" || strings.HasPrefix(run, ownPrefix)) {
		return fmt.Errorf("%w: %q is not the log of a run; make one with RunSubject", ErrInvalid, subject)
	}
	return checkKey("subject", subject)
}
