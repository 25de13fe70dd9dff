package firing

import (
	"context"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/trigger"
)

// overlap is how far back changes are read again: clocks of writers are not quite the store's, and commits take time.
const overlap = 5 * time.Minute

// refresh reads what was changed since the last time, by anybody. Deleted triggers leave something that says so.
func (s *Service) refresh(ctx context.Context) error {
	s.mu.Lock()
	s.changed = false
	seen := s.seen
	s.mu.Unlock()
	err := s.readChanges(ctx, seen)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.changed = true
		return err
	}
	s.polled = s.Clock.Now()
	return nil
}

func (s *Service) readChanges(ctx context.Context, seen int64) error {
	if _, err := s.now(ctx); err != nil {
		return err
	}
	q := adapter.Query{Order: "updatedAt"}
	if seen > 0 {
		q.From = seen - overlap.Milliseconds()
	}
	for {
		page, err := s.Store.List(ctx, CollectionTriggers, q)
		if err != nil {
			return fmt.Errorf("list triggers: %w", err)
		}
		for _, d := range page.Items {
			s.adopt(d)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return nil
		}
	}
}

// adopt takes over a document, if it is new to this instance.
func (s *Service) adopt(d adapter.Doc) {
	def, err := decode(d)
	var t *trigger.Trigger
	if err == nil && !def.Deleted {
		t, err = trigger.Compile(def)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = max(s.seen, def.UpdatedAt)
	e := s.known[d.ID]
	if e != nil && e.version == d.Version {
		return
	}
	if err != nil {
		s.Logger.Error("a trigger is malformed, or of a newer version; this instance leaves it alone", "trigger", d.ID, "error", err)
	}
	if t == nil {
		s.forget(e)
		return
	}
	if def.Function && s.functions[d.ID] == nil {
		s.Logger.Warn("a trigger needs a function that this program does not declare; other instances have to fire it", "trigger", d.ID)
	}
	if e == nil {
		e = &entry{view: view{name: d.ID}, index: -1}
		s.known[d.ID] = e
	}
	e.version, e.trig = d.Version, t
	if e.busy {
		e.again = true
		return
	}
	s.due.set(e, time.Time{})
}

// forget drops a trigger. s.mu is held.
func (s *Service) forget(e *entry) {
	if e == nil {
		return
	}
	delete(s.known, e.name)
	s.due.remove(e)
	if e.gone = true; !e.busy {
		s.wg.Go(func() { e.unhook(s.ctx) })
	}
}
