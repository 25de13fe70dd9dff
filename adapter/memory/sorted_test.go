package memory

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func number(text string) value { return fieldValue(json.Number(text)) }

// TestSortedAgainstSlice does the same at random to a sorted list and to a plain slice.
func TestSortedAgainstSlice(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var list sorted
	var model []*posting
	for step := range 20_000 {
		grow := step%8000 < 5000 // shrink again, so that blocks are merged
		if grow == (r.IntN(4) > 0) || len(model) == 0 {
			p := &posting{value: number(fmt.Sprint(r.IntN(50))), id: fmt.Sprintf("%05d", step)}
			list.insert(p)
			i, _ := slices.BinarySearchFunc(model, p, (*posting).compare)
			model = slices.Insert(model, i, p)
		} else {
			i := r.IntN(len(model))
			list.remove(model[i])
			model = slices.Delete(model, i, i+1)
		}
		if step%500 != 0 {
			continue
		}
		from := number(fmt.Sprint(r.IntN(50)))
		start := slices.IndexFunc(model, func(p *posting) bool { return p.value.compare(from) >= 0 })
		if start < 0 {
			start = len(model)
		}
		at := list.seek(func(p *posting) bool { return p.value.compare(from) < 0 })
		back := at
		for _, want := range model[start:] {
			if got := at.next(); got != want {
				t.Fatalf("step %d: forward got %v, want %v", step, got, want)
			}
		}
		for i := start - 1; i >= 0; i-- {
			if got := back.previous(); got != model[i] {
				t.Fatalf("step %d: backward got %v, want %v", step, got, model[i])
			}
		}
		if at.next() != nil || back.previous() != nil || list.len != len(model) {
			t.Fatalf("step %d: the list has other ends or another length", step)
		}
	}
}

func TestSortedIgnoresWhatItDoesNotHave(t *testing.T) {
	t.Parallel()
	var list sorted
	list.remove(&posting{id: "a"})
	list.insert(&posting{id: "b"})
	list.remove(&posting{id: "a"})
	list.remove(&posting{id: "c"})
	if list.len != 1 {
		t.Errorf("%d postings are left, want 1", list.len)
	}
}

func TestValuesKeepTheOrderOfNumbers(t *testing.T) {
	t.Parallel()
	ordered := []value{
		{}, number("-1e500"), number("-1e400"), number("-2"), number("-1.5"), number("0"), number("1e-400"), number("2"), number("10"),
		number("9007199254740992"), number("9007199254740993"), number("9007199254740993.5"), number("1e400"), number("1e500"),
		fieldValue("1"), fieldValue("10"), fieldValue("2"), fieldValue(false), fieldValue(true),
	}
	for i, a := range ordered {
		for k, b := range ordered {
			if got, want := a.compare(b), cmp.Compare(i, k); got != want {
				t.Errorf("compare(%v, %v) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestQueryValue(t *testing.T) {
	t.Parallel()
	type status string
	for arg, want := range map[any]value{
		1: number("1"), int8(-3): number("-3"), uint64(1 << 63): number("9223372036854775808"), 1.5: number("1.5"),
		float32(0.25): number("0.25"), json.Number("1.0"): number("1"), "a": fieldValue("a"), status("b"): fieldValue("b"),
		true: fieldValue(true),
	} {
		if got, err := queryValue(arg); err != nil || got != want {
			t.Errorf("queryValue(%#v) = %v, %v, want %v", arg, got, err, want)
		}
	}
	for _, arg := range []any{nil, []string{"a"}, struct{}{}, json.Number("x"), json.Number(`"x"`)} {
		if _, err := queryValue(arg); err == nil {
			t.Errorf("queryValue(%#v) is accepted", arg)
		}
	}
}
