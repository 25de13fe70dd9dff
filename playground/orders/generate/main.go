// Command generate writes the sample input of the playground: 1,000 lines of orders, some malformed, some repeated. The same
// seed gives the same lines.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/nvent-go/nvent/playground/orders"
)

func main() {
	n := flag.Int("n", 1000, "lines")
	seed := flag.Uint64("seed", 42, "seed")
	flag.Parse()
	out := bufio.NewWriter(os.Stdout)
	err := write(out, *n, rand.New(rand.NewPCG(*seed, 0)))
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

var (
	names     = []string{"Ada", "Bjarne", "Grace", "Ken", "Rob", "Barbara", "Edsger", "Radia", "Donald", "Frances"}
	countries = []string{"NO", "SE", "DK", "FI", "DE", "FR", "NL", "IT", "ES", "US"}
	articles  = []string{"tent", "stove", "rope", "lamp", "map", "boots", "jacket", "bottle", "compass", "knife"}
)

// write writes n lines: about 2 % are malformed, 3 % repeat an earlier order.
func write(w io.Writer, n int, r *rand.Rand) error {
	var good [][]byte
	for i := range n {
		line, err := json.Marshal(order(i+1, r))
		if err != nil {
			return err
		}
		switch p := r.Float64(); {
		case p < 0.02:
			line = spoil(line, r)
		case p < 0.05 && len(good) > 0:
			line = good[r.IntN(len(good))]
		default:
			good = append(good, line)
		}
		if _, err := fmt.Fprintf(w, "%s\n", line); err != nil {
			return err
		}
	}
	return nil
}

func order(n int, r *rand.Rand) orders.Order {
	o := orders.Order{
		ID: fmt.Sprintf("O-%05d", n), Customer: names[r.IntN(len(names))], Country: countries[r.IntN(len(countries))], Card: "ok",
	}
	switch p := r.Float64(); {
	case p < 0.04:
		o.Card = "declined"
	case p < 0.12:
		o.Card = "slow"
	}
	for range 1 + r.IntN(4) {
		a := r.IntN(len(articles))
		o.Lines = append(o.Lines, orders.Line{
			SKU: fmt.Sprintf("%s-%d", articles[a], 1+r.IntN(9)), Qty: 1 + r.IntN(5), Cents: int64(990 + 1000*a + 10*r.IntN(500)),
		})
	}
	return o
}

// spoil makes a line malformed in one of the ways that real files are.
func spoil(line []byte, r *rand.Rand) []byte {
	switch r.IntN(4) {
	case 0:
		return line[:len(line)/2] // cut off
	case 1:
		return []byte(`{"id":"","customer":"nobody","country":"NO","card":"ok","lines":[]}`)
	case 2:
		return append([]byte("order: "), line...) // something before it
	}
	return []byte(`{"id":"O-X","customer":"Ada","country":"XX","card":"ok","lines":[{"sku":"tent-1","qty":-1,"cents":100}]}`)
}
