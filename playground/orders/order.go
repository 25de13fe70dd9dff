// Package orders reads orders from newline-delimited JSON and settles each with a flow.
package orders

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Order is a line of the input.
type Order struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Country  string `json:"country"`
	Card     string `json:"card"` // how the pretended bank answers: ok, slow (an error at first), declined
	Lines    []Line `json:"lines"`
}

// Line is an article of an order.
type Line struct {
	SKU   string `json:"sku"`
	Qty   int    `json:"qty"`
	Cents int64  `json:"cents"` // price of one
}

// Parse reads one line of input. Unknown keys, trailing data and impossible values are errors.
func Parse(line []byte) (Order, error) {
	var o Order
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		return o, fmt.Errorf("not an order: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return o, fmt.Errorf("not an order: there is more after its end")
	}
	return o, o.check()
}

func (o Order) check() error {
	var wrong []string
	if o.ID == "" {
		wrong = append(wrong, "id is missing")
	}
	if o.Customer == "" {
		wrong = append(wrong, "customer is missing")
	}
	if _, ok := vatPercent[o.Country]; !ok {
		wrong = append(wrong, fmt.Sprintf("country %q is unknown", o.Country))
	}
	if len(o.Lines) == 0 {
		wrong = append(wrong, "it has no lines")
	}
	for i, l := range o.Lines {
		if l.SKU == "" || l.Qty < 1 || l.Qty > 1000 || l.Cents < 0 || l.Cents > 100_000_000 {
			wrong = append(wrong, fmt.Sprintf("line %d is impossible: sku %q, qty %d, cents %d", i+1, l.SKU, l.Qty, l.Cents))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("order %q: %s", o.ID, strings.Join(wrong, "; "))
	}
	return nil
}

// vatPercent is the tax by country.
var vatPercent = map[string]int64{"NO": 25, "SE": 25, "DK": 25, "FI": 25, "DE": 19, "FR": 20, "NL": 21, "IT": 22, "ES": 21, "US": 0}
