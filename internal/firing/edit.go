package firing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/trigger"
)

// graveTime is how long the mark of a deleted trigger is kept, for instances that cannot reach the store meanwhile. Marks of
// triggers that programs declare are kept for good: the next start must not bring them back.
const graveTime = 7 * 24 * time.Hour

// errMoved says that a commit met another version: read again.
var errMoved = errors.New("moved")

// Info is a trigger and what has become of it.
type Info struct {
	trigger.Definition
	State State
	Next  time.Time // its next tick; zero: there is none
}

// Save creates a trigger, or changes the one at def.Version, and returns it as it is then.
func (s *Service) Save(ctx context.Context, def trigger.Definition) (trigger.Definition, error) {
	t, err := trigger.Compile(def)
	if err != nil {
		return def, err
	}
	return s.edit(ctx, def.Name, func(r *record, now time.Time) (*trigger.Definition, error) {
		expect := adapter.Version(def.Version)
		switch {
		case r.there() && r.version != expect, !r.there() && expect != adapter.Absent:
			return nil, conflict(r)
		}
		if err := s.checkFunction(&def, r); err != nil {
			return nil, err
		}
		if c := def.Config; c.At != "" && (r.state == nil || r.state.Schedule != def.ScheduleHash()) && t.Next(now, now).IsZero() && !def.Paused {
			return nil, fmt.Errorf("trigger %q: %w: config.at %s is over: it would never fire", def.Name, adapter.ErrInvalid, c.At)
		}
		next := def
		next.Declared, next.Edited, next.Deleted = r.def.Declared, r.def.Declared != "", false
		return &next, nil
	})
}

// checkFunction refuses an edit that would have the function of a program feed what it was not written for.
func (s *Service) checkFunction(def *trigger.Definition, r *record) error {
	if !def.Function {
		return nil
	}
	bad := ""
	switch same := sameTarget(def, &r.def); {
	case !r.there() || !r.def.Function:
		bad = "the engine sets it, for triggers that programs declare"
	case len(def.Input) > 0 || def.Payload:
		bad = "a function makes the input: leave out function to give another one"
	case !same:
		bad = "the function makes the input of something else: leave out function and give an input"
	default:
		return nil
	}
	return fmt.Errorf("trigger %q: %w: function: %s", def.Name, adapter.ErrInvalid, bad)
}

func sameTarget(a, b *trigger.Definition) bool {
	if a.Job == nil || b.Job == nil {
		return a.Job == nil && b.Job == nil && a.Flow == b.Flow
	}
	return a.Job.Queue == b.Job.Queue && a.Job.Name == b.Job.Name
}

// conflict returns the error of a version that is not the current one.
func conflict(r *record) error {
	d, err := write(r.def, r.version)
	if err != nil {
		return err
	}
	if !r.there() {
		d.Version, d.Body = adapter.Absent, nil
	}
	return &adapter.Conflict{Current: []adapter.Doc{d}}
}

// SetPaused pauses or resumes a trigger.
func (s *Service) SetPaused(ctx context.Context, name string, paused bool) error {
	_, err := s.edit(ctx, name, func(r *record, _ time.Time) (*trigger.Definition, error) {
		if !r.there() {
			return nil, fmt.Errorf("trigger %q: %w", name, adapter.ErrNotFound)
		}
		next := r.def
		next.Paused = paused
		return &next, nil
	})
	return err
}

// Delete removes a trigger, at a version unless that is AnyVersion. One that is not there is no error.
func (s *Service) Delete(ctx context.Context, name string, version adapter.Version) error {
	_, err := s.edit(ctx, name, func(r *record, _ time.Time) (*trigger.Definition, error) {
		switch {
		case version != adapter.AnyVersion && (!r.there() || r.version != version):
			return nil, conflict(r)
		case !r.there():
			return nil, nil
		}
		return &trigger.Definition{Name: name, Type: r.def.Type, Declared: r.def.Declared, Deleted: true}, nil
	})
	return err
}

// Declare makes a trigger that a program declares known, with the function that makes its input, if there is one. A trigger of this name that
// was edited, paused or deleted stays so, until the declaration is another one.
func (s *Service) Declare(ctx context.Context, def trigger.Definition, f Function) error {
	if _, err := trigger.Compile(def); err != nil {
		return err
	}
	s.mu.Lock()
	if f != nil {
		s.functions[def.Name] = f
	}
	s.mu.Unlock()
	hash := def.Hash()
	_, err := s.edit(ctx, def.Name, func(r *record, _ time.Time) (*trigger.Definition, error) {
		if r.version != adapter.Absent && r.def.Declared == hash {
			return nil, nil
		}
		if r.there() && (r.def.Edited || r.def.Declared == "") {
			s.Logger.Warn("the program declares a trigger anew, and replaces what was edited", "trigger", def.Name)
		}
		next := def
		next.Declared, next.Function = hash, f != nil
		if r.there() {
			next.Paused = r.def.Paused
		}
		return &next, nil
	})
	return err
}

// edit changes a trigger, and its state with it. change returns nil to leave it as it is.
func (s *Service) edit(ctx context.Context, name string,
	change func(r *record, now time.Time) (*trigger.Definition, error)) (trigger.Definition, error) {
	for {
		r, err := s.read(ctx, name)
		if err != nil {
			return r.def, err
		}
		now, err := s.now(ctx)
		if err != nil {
			return r.def, err
		}
		next, err := change(&r, now)
		if err != nil || next == nil {
			return r.def, err
		}
		next.UpdatedAt = now.UnixMilli()
		version, err := s.replace(ctx, &r, next, now)
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil {
			return r.def, err
		}
		s.hint(ctx, name)
		next.Version = int64(version)
		return *next, nil
	}
}

// replace writes a definition and the state that belongs to it.
func (s *Service) replace(ctx context.Context, r *record, next *trigger.Definition, now time.Time) (adapter.Version, error) {
	put, err := write(*next, r.version)
	if err != nil {
		return 0, err
	}
	b := adapter.Batch{Partition: adapter.Partition(next.Name), Puts: []adapter.Doc{put}}
	if next.Deleted {
		if next.Declared == "" {
			b.Puts[0].ExpireAt = now.Add(graveTime)
		}
		b.Deletes = []adapter.Doc{{Collection: CollectionState, ID: next.Name, Version: adapter.AnyVersion}}
	} else {
		st, _ := follow(r.state, next, now)
		put, err := writeState(next.Name, &st, r.stateV)
		if err != nil {
			return 0, err
		}
		b.Puts = append(b.Puts, put)
	}
	done, err := s.Store.Commit(ctx, b)
	switch {
	case errors.Is(err, adapter.ErrConflict):
		return 0, errMoved
	case err != nil:
		return 0, fmt.Errorf("save trigger %q: %w", next.Name, err)
	}
	return done.Versions[0], nil
}

// Get returns a trigger.
func (s *Service) Get(ctx context.Context, name string) (Info, error) {
	r, err := s.read(ctx, name)
	if err != nil {
		return Info{}, err
	}
	if !r.there() {
		return Info{}, fmt.Errorf("trigger %q: %w", name, adapter.ErrNotFound)
	}
	return info(r.def, r.state), nil
}

// List returns triggers by name, a page at a time. A page may hold fewer than limit.
func (s *Service) List(ctx context.Context, cursor string, limit int) (adapter.Page[Info], error) {
	page, err := s.Store.List(ctx, CollectionTriggers, adapter.Query{Cursor: cursor, Limit: limit})
	if err != nil {
		return adapter.Page[Info]{}, fmt.Errorf("list triggers: %w", err)
	}
	var names []string
	var defs []trigger.Definition
	for _, d := range page.Items {
		def, err := decode(d)
		if err != nil {
			return adapter.Page[Info]{}, err
		}
		if !def.Deleted {
			defs, names = append(defs, def), append(names, def.Name)
		}
	}
	list := adapter.Page[Info]{Next: page.Next}
	if len(names) == 0 {
		return list, nil
	}
	docs, err := s.Store.Get(ctx, CollectionState, names...)
	if err != nil {
		return list, fmt.Errorf("get states of triggers: %w", err)
	}
	states := map[string]*State{}
	for _, d := range docs {
		st, err := decodeState(d)
		if err != nil {
			return list, err
		}
		states[d.ID] = st
	}
	for _, def := range defs {
		list.Items = append(list.Items, info(def, states[def.Name]))
	}
	return list, nil
}

func info(def trigger.Definition, st *State) Info {
	i := Info{Definition: def}
	if st == nil {
		return i
	}
	i.State = *st
	if t, err := trigger.Compile(def); err == nil {
		i.Next = t.Next(time.UnixMilli(st.Last), time.UnixMilli(st.Made))
	}
	return i
}
