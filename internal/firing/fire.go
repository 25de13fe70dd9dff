package firing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/trigger"
)

// claimTime is how long other instances leave starts to the one that has decided on them.
const claimTime = 30 * time.Second

// maxInputs bounds the inputs that are noted at a time, in bytes. One more may go over it.
const maxInputs = 1 << 20

// look brings one trigger up to date, and returns when to look again: zero for not before it is changed.
func (s *Service) look(ctx context.Context, e *entry) (time.Time, error) {
	s.mu.Lock()
	v := e.view
	s.mu.Unlock()
	if err := s.hook(ctx, e, v); err != nil || v.trig.Definition().Type != trigger.Schedule {
		return time.Time{}, err
	}
	for {
		r, err := s.read(ctx, v.name)
		if err != nil {
			return time.Time{}, err
		}
		if r.version != v.version { // it was changed: the loop reads it, and comes back
			s.noteChange()
			return time.Time{}, nil
		}
		now, err := s.now(ctx)
		if err != nil {
			return time.Time{}, err
		}
		again, next, err := s.step(ctx, v, &r, now)
		if err != nil || !again {
			return next, err
		}
	}
}

// step takes a trigger one commit further. again asks to read it anew.
func (s *Service) step(ctx context.Context, v view, r *record, now time.Time) (again bool, next time.Time, err error) {
	if st := r.state; st != nil && len(st.Pending) > 0 {
		if until := time.UnixMilli(st.ClaimUntil); st.Claim != s.Instance && now.Before(until) {
			return false, until.Add(jittered(100 * time.Millisecond)), nil
		}
		return s.carryOut(ctx, v.name, st, r.stateV, now)
	}
	st, changed := follow(r.state, &r.def, now)
	function, err := s.function(v)
	if err != nil {
		return false, time.Time{}, nil //nolint:nilerr // it was said when the trigger was read; others have the function
	}
	due := v.trig.Due(time.UnixMilli(st.Last), time.UnixMilli(st.Made), now)
	if !changed && !due.Last.After(time.UnixMilli(st.Last)) {
		return false, due.Next, nil
	}
	st.Last = due.Last.UnixMilli()
	st.Skipped += int64(due.Skipped)
	if due.Skipped > 0 {
		s.Logger.Warn("ticks of a trigger were missed and are left out", "trigger", v.name, "ticks", due.Skipped,
			"catchUp", r.def.Config.CatchUp, "last", due.Last)
	}
	s.decide(v, &st, due.Fire, function, now)
	ok, version, err := s.commit(ctx, v.name, &st, r)
	if err != nil || !ok || len(st.Pending) == 0 {
		return err == nil, time.Time{}, err
	}
	return s.carryOut(ctx, v.name, &st, version, now)
}

// decide notes the starts of ticks in the state.
func (s *Service) decide(v view, st *State, ticks []time.Time, function Function, now time.Time) {
	size := 0
	for _, tick := range ticks {
		if size > maxInputs { // the rest is due at once
			st.Last = tick.UnixMilli() - 1
			break
		}
		start, err := s.start(v.trig, function, trigger.Firing{Type: trigger.Schedule, At: tick.UTC().Format(time.RFC3339Nano)}, tick)
		st.Fired++
		start.Key = tickKey(v.name, tick)
		if err != nil {
			s.fail(st, start, err, now)
			continue
		}
		size += len(start.Input)
		st.Pending = append(st.Pending, start)
	}
	if len(st.Pending) > 0 {
		st.Claim, st.ClaimUntil = s.Instance, now.Add(claimTime).UnixMilli()
	}
}

// tickKey returns the key of what a tick starts.
func tickKey(name string, tick time.Time) string {
	return "trigger/" + name + "/" + strconv.FormatInt(tick.UnixMilli(), 10)
}

// commit writes the state of a trigger, if neither it nor the definition was changed since they were read.
func (s *Service) commit(ctx context.Context, name string, st *State, r *record) (bool, adapter.Version, error) {
	put, err := writeState(name, st, r.stateV)
	if err != nil {
		return false, 0, err
	}
	done, err := s.Store.Commit(ctx, adapter.Batch{
		Partition: adapter.Partition(name), Puts: []adapter.Doc{put},
		Checks: []adapter.Doc{{Collection: CollectionTriggers, ID: name, Version: r.version}},
	})
	if errors.Is(err, adapter.ErrConflict) {
		return false, 0, nil
	}
	if err != nil {
		return false, 0, fmt.Errorf("commit state of trigger %q: %w", name, err)
	}
	return true, done.Versions[0], nil
}

// carryOut does what was noted, and crosses it off. It takes the notes over first if another instance has left them.
func (s *Service) carryOut(ctx context.Context, name string, st *State, version adapter.Version, now time.Time) (bool, time.Time, error) {
	if st.Claim != s.Instance || now.After(time.UnixMilli(st.ClaimUntil).Add(-claimTime/2)) {
		if st.Claim != s.Instance {
			s.Logger.Info("taking over the starts of a trigger", "trigger", name, "from", st.Claim, "starts", len(st.Pending))
		}
		st.Claim, st.ClaimUntil = s.Instance, now.Add(claimTime).UnixMilli()
		done, err := s.put(ctx, name, st, version)
		if err != nil || done == adapter.Absent {
			return err == nil, time.Time{}, err
		}
		version = done
	}
	call, cancel := context.WithTimeout(ctx, claimTime/2)
	defer cancel()
	for _, start := range st.Pending {
		id, err := s.Launch(call, start)
		switch {
		case err == nil:
			st.Started = &Started{ID: id, At: now.UnixMilli()}
			s.Logger.Debug("trigger fired", "trigger", name, "key", start.Key, "flow", start.Flow, "id", id)
		case hopeless(err):
			s.fail(st, start, err, now)
		default:
			return false, time.Time{}, fmt.Errorf("start %s: %w", start.Key, err)
		}
	}
	st.Pending, st.Claim, st.ClaimUntil = nil, "", 0
	_, err := s.put(ctx, name, st, version)
	return err == nil, time.Time{}, err
}

// put writes a state at a version. Absent says that it is not at that version any more.
func (s *Service) put(ctx context.Context, name string, st *State, version adapter.Version) (adapter.Version, error) {
	put, err := writeState(name, st, version)
	if err != nil {
		return adapter.Absent, err
	}
	done, err := s.Store.Commit(ctx, adapter.Batch{Partition: adapter.Partition(name), Puts: []adapter.Doc{put}})
	switch {
	case errors.Is(err, adapter.ErrConflict):
		return adapter.Absent, nil
	case err != nil:
		return adapter.Absent, fmt.Errorf("commit state of trigger %q: %w", name, err)
	}
	return done.Versions[0], nil
}

// fail records a start that cannot be made.
func (s *Service) fail(st *State, start Start, err error, now time.Time) {
	s.Logger.Error("a trigger cannot start what it should; this firing is given up", "trigger", start.Trigger, "key", start.Key,
		"flow", start.Flow, "error", err)
	st.Failure = &Failure{Key: start.Key, Error: storable(err.Error()), At: now.UnixMilli()}
}

// start returns what a trigger starts, with its input.
func (s *Service) start(t *trigger.Trigger, function Function, f trigger.Firing, at time.Time) (Start, error) {
	def := t.Definition()
	start := Start{Trigger: def.Name, Flow: t.Flow(), Job: def.Job}
	f.Name = def.Name
	var err error
	if function != nil {
		start.Input, err = call(function, at, f.Payload)
	} else {
		start.Input, err = t.Input(f)
	}
	if err == nil {
		start.Input, err = s.Encode(start.Input)
	}
	if err != nil {
		return start, &Hopeless{fmt.Errorf("make input: %w", err)}
	}
	return start, nil
}

// call calls a function of the program. Its panic is an error.
func call(f Function, at time.Time, payload json.RawMessage) (in json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the function panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return f(at, payload)
}

// function returns the function that makes the input of a trigger: nil if it is not made by one.
func (s *Service) function(v view) (Function, error) {
	if !v.trig.Definition().Function {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[v.name]
	if f == nil {
		return nil, fmt.Errorf("trigger %q: %w: its input is made by a function that this program does not have", v.name, adapter.ErrNotFound)
	}
	return f, nil
}

// maxError bounds the text of an error that is kept, in bytes.
const maxError = 1000

// storable returns text that every store can keep.
func storable(text string) string {
	text = text[:min(len(text), maxError)]
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
}
