package flow_test

import (
	"encoding/json"
	"fmt"

	"github.com/nvent-go/nvent/flow"
)

func ExampleNewFilter() {
	f, err := flow.NewFilter(`event == "orders" && payload.cents > 1000`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Match("orders", json.RawMessage(`{"cents": 1001}`)))
	fmt.Println(f.Match("orders", json.RawMessage(`{"cents": 1000}`)))
	_, err = flow.NewFilter(`paylod.cents > 1000`)
	fmt.Println(err)
	// Output:
	// true <nil>
	// false <nil>
	// line 1, column 1: unknown name "paylod"; did you mean "payload"?
}
