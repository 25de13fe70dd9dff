package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/nvent-go/nvent/flow"
)

var (
	page   = flow.NewEvent[string]("page.found")
	counts = flow.NewEvent[int]("page.counted")
)

// A fan-out over as many items as there are, and the step that gets what comes of them.
func ExampleCollect() {
	// doc: fanout
	f := flow.New[[]string, int]("count")
	flow.Start(f, "split", func(ctx context.Context, pages []string) (struct{}, error) {
		return struct{}{}, page.EmitAll(ctx, slices.Values(pages))
	}, flow.EmitsAll(page))
	flow.On(f, "count", page, func(ctx context.Context, text string) (struct{}, error) {
		return struct{}{}, counts.Emit(ctx, len(text))
	}, flow.Emits(counts), flow.Parallel(50))
	flow.Returns(f, flow.Collect(f, "sum", counts, func(_ context.Context, g flow.Group[int]) (int, error) {
		sum := 0
		for n, err := range g.Values() { // in the order of the pages
			if err != nil {
				return 0, err
			}
			sum += n
		}
		return sum, nil
	}))
	// end doc
	fmt.Println(runFlow(f, []string{"to", "be", "or", "not"}))
	fmt.Println(runFlow(f, nil)) // an empty group is complete at once
	// Output:
	// 9 <nil>
	// 0 <nil>
}

// A group that goes on without the items that fail.
func ExamplePartial() {
	f := flow.New[[]string, string]("partial")
	flow.Start(f, "split", func(ctx context.Context, pages []string) (struct{}, error) {
		return struct{}{}, page.EmitAll(ctx, slices.Values(pages))
	}, flow.EmitsAll(page))
	count := flow.On(f, "count", page, func(_ context.Context, text string) (int, error) {
		if text == "" {
			return 0, errors.New("the page is empty")
		}
		return len(text), nil
	})
	// doc: partial
	flow.Returns(f, flow.Collect(f, "sum", count.Completed(), func(_ context.Context, g flow.Group[int]) (string, error) {
		sum := 0
		for item, err := range g.Items() {
			switch {
			case err != nil:
				return "", err
			case item.Missing == "":
				sum += item.Values[0]
			}
		}
		missing, err := g.Missing()
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d letters on %d pages; page %d: %s", sum, g.Len(), missing[0].Index, missing[0].Missing), nil
	}, flow.Partial()))
	// end doc
	fmt.Println(runFlow(f, []string{"to be", "", "or not"}))
	// Output: 11 letters on 3 pages; page 1: step "count" failed: the page is empty <nil>
}

// Items are read as they are emitted: from a file or a query, for example. More than 512 of them are stored on the way.
func ExampleEvent_EmitAll() {
	numbers := flow.NewEvent[int]("number")
	upTo := func(n int) iter.Seq[int] {
		return func(yield func(int) bool) {
			for i := range n {
				if !yield(i) {
					return
				}
			}
		}
	}
	f := flow.New[int, int]("numbers")
	flow.Start(f, "emit", func(ctx context.Context, n int) (struct{}, error) {
		return struct{}{}, numbers.EmitAll(ctx, upTo(n))
	}, flow.EmitsAll(numbers))
	square := flow.On(f, "square", numbers, func(_ context.Context, n int) (int, error) { return n * n, nil })
	flow.Returns(f, flow.Collect(f, "count", square.Completed(), func(_ context.Context, g flow.Group[int]) (int, error) {
		return g.Len(), nil
	}))
	fmt.Println(runFlow(f, 600))
	// Output: 600 <nil>
}

func ExampleEmitsAll() {
	f := flow.New[[]string, struct{}]("f")
	flow.Start(f, "split", func(ctx context.Context, pages []string) (struct{}, error) {
		return struct{}{}, page.EmitAll(ctx, slices.Values(pages))
	}) // without flow.EmitsAll(page)
	_, err := runFlow(f, []string{"a"})
	_, why, _ := cut(err, "attempt 1: ")
	fmt.Println(why)
	// Output: emit all "page.found" from step "split": event is not declared as one for many items: add it to the step's flow.EmitsAll
}

// At most two items are in progress at once; the others follow as these end.
func ExampleParallel() {
	f := flow.New[int, struct{}]("f")
	flow.Start(f, "split", func(ctx context.Context, n int) (struct{}, error) {
		return struct{}{}, counts.EmitAll(ctx, slices.Values(make([]int, n)))
	}, flow.EmitsAll(counts))
	flow.On(f, "work", counts, func(context.Context, int) (struct{}, error) { return struct{}{}, nil }, flow.Parallel(2))
	d, err := f.Definition()
	fmt.Println(d.Step("work").Parallel, err)
	// Output: 2 <nil>
}

// A handler by name for a step of a document that collects.
func ExampleFuncGroup() {
	h := flow.FuncGroup("sum", func(_ context.Context, g flow.Group[int]) (int, error) {
		sum := 0
		for n, err := range g.Values() {
			if err != nil {
				return 0, err
			}
			sum += n
		}
		return sum, nil
	})
	items := &flow.GroupSource{Items: 2, Read: func(context.Context) iter.Seq2[flow.RawItem, error] {
		return func(yield func(flow.RawItem, error) bool) {
			_ = yield(flow.RawItem{Index: 0, Payloads: []json.RawMessage{[]byte("1"), []byte("2")}}, nil) &&
				yield(flow.RawItem{Index: 1, Missing: "no step emitted it"}, nil)
		}
	}}
	result, err := h.Call(context.Background(), flow.NewInputs(flow.InputSlot{Event: "n", Filled: true, Group: items}))
	fmt.Println(string(result), err)
	// Output: 3 <nil>
}
