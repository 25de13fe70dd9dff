package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
)

// EmitAll emits the event once for every value: each is the beginning of a branch of its own. The branches form a group; it
// is complete when all of them have drained, and then the step that collects it runs. An empty group is complete at once.
//
// Like [Event.Emit] it takes effect if and only if the attempt succeeds, and its errors are the same. It reads values now.
// More than 512 of them are stored as they are read, so it may block on the store; memory stays bounded. The event must be
// declared with [EmitsAll].
func (e *Event[T]) EmitAll(ctx context.Context, values iter.Seq[T]) error {
	a, err := attemptOf(ctx)
	if err != nil {
		return fmt.Errorf("emit all %q: %w", e.Name(), err)
	}
	if err := a.emitAll(ctx, e.Name(), func(yield func(json.RawMessage, error) bool) {
		for v := range values {
			b, err := encode(v)
			if err != nil {
				err = fmt.Errorf("encode %T: %w", v, err)
			}
			if !yield(b, err) {
				return
			}
		}
	}); err != nil {
		return fmt.Errorf("emit all %q from step %q: %w", e.Name(), a.Step, err)
	}
	return nil
}

// maxInline bounds the payloads of a group that are stored with the outcome itself, in bytes.
const maxInline = 256 << 10

func (a *Attempt) emitAll(ctx context.Context, event string, values iter.Seq2[json.RawMessage, error]) error {
	if a.MayEmitAll != nil && !a.MayEmitAll(event) {
		return fmt.Errorf("%w as one for many items: add it to the step's flow.EmitsAll", ErrUndeclared)
	}
	g := &EmittedGroup{}
	var page []json.RawMessage
	size := 0
	flush := func() error {
		if a.Stage == nil {
			return nil
		}
		if g.Stage == "" {
			g.Stage = a.NewStage()
		}
		n := (g.Count - 1) / ChunkItems
		err := a.Stage(ctx, PartRef{g.Stage, n}, page)
		page, size = nil, 0
		return err
	}
	for b, err := range values {
		if err == nil {
			err = a.check(b)
		}
		if err != nil {
			return fmt.Errorf("item %d: %w", g.Count, err)
		}
		if len(page) == ChunkItems {
			if err := flush(); err != nil {
				return err
			}
		}
		page = append(page, b)
		g.Count++
		size += len(b)
	}
	if (g.Stage != "" || size > maxInline) && len(page) > 0 {
		if err := flush(); err != nil {
			return err
		}
	}
	g.Items = page
	return a.add(Emission{Event: event, Group: g})
}

// Collect adds a step that runs once for a group: when all branches that [Event.EmitAll] began have drained, with what they
// have emitted as e. Outside of groups it runs once for all e of the run, when no more can come.
func Collect[E, T any](f AnyFlow, name string, e *Event[E], h func(context.Context, Group[E]) (T, error), o ...Option) *StepRef[T] {
	d := f.draft()
	s := d.add(name, FuncGroup(d.handlerName(name), h), []AnyEvent{e}, o)
	if len(s.repeat) > 0 {
		d.problem(name, "flow.Each() and flow.First() have no effect on a step that collects", "drop them")
	}
	s.repeat = []string{RepeatCollect}
	return &StepRef[T]{d, name}
}

// FuncGroup names a function as the handler of a step that collects.
func FuncGroup[E, T any](name string, h func(context.Context, Group[E]) (T, error)) Handler {
	f := Handler{name: name, in: []reflect.Type{reflect.TypeFor[E]()}, group: true, out: reflect.TypeFor[T]()}
	if h != nil {
		f.call = func(ctx context.Context, in Inputs) (any, error) {
			return h(ctx, Group[E]{ctx, in.slots[0].Event, in.slots[0].Group})
		}
	}
	return f
}

// Group is what the branches of a group have emitted. It belongs to the attempt that got it, and reads as it is iterated:
// memory stays bounded however large the group is.
type Group[E any] struct {
	ctx   context.Context
	event string
	src   *GroupSource
}

// GroupSource is where a [Group] comes from.
type GroupSource struct {
	Items int
	Read  func(ctx context.Context) iter.Seq2[RawItem, error]
}

// RawItem is an item of a group, or something that was emitted outside of groups.
type RawItem struct {
	Index    int
	Payloads []json.RawMessage // what it has emitted, in order
	Missing  string            // why there is none; empty: there is
}

// GroupItem is an item of a group.
type GroupItem[E any] struct {
	Index   int
	Values  []E    // what its branch has emitted, in order: mostly one
	Missing string // why there is none: the failure of its branch, or that no step emitted it; empty if there is
}

// Len returns how many items the group has, missing ones included.
func (g Group[E]) Len() int {
	if g.src == nil {
		return 0
	}
	return g.src.Items
}

// Items iterates over the items in their order. It may block on the store. An error ends it.
func (g Group[E]) Items() iter.Seq2[GroupItem[E], error] {
	return func(yield func(GroupItem[E], error) bool) {
		if g.src == nil {
			return
		}
		for raw, err := range g.src.Read(g.ctx) {
			item := GroupItem[E]{Index: raw.Index, Missing: raw.Missing}
			for _, p := range raw.Payloads {
				if err != nil {
					break
				}
				var v E
				v, err = decodeInput[E](InputSlot{Event: g.event, Payload: p})
				item.Values = append(item.Values, v)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// Values iterates over what the branches have emitted, in the order of the items; missing items are left out. It may block on
// the store. An error ends it.
func (g Group[E]) Values() iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for item, err := range g.Items() {
			if err != nil {
				var zero E
				yield(zero, err)
				return
			}
			for _, v := range item.Values {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// Missing returns the items that have emitted nothing, each with the reason. It may block on the store.
func (g Group[E]) Missing() ([]GroupItem[E], error) {
	var list []GroupItem[E]
	for item, err := range g.Items() {
		if err != nil {
			return nil, err
		}
		if item.Missing != "" {
			list = append(list, item)
		}
	}
	return list, nil
}
