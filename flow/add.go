package flow

import (
	"encoding/json"
	"fmt"
	"math/big"
)

// AddNumbers returns the exact sum of two JSON numbers. An absent or null a counts as zero.
func AddNumbers(a, b json.RawMessage) (json.RawMessage, error) {
	sum, decimals := new(big.Rat), 0
	for _, n := range []json.RawMessage{a, b} {
		if len(n) == 0 || string(n) == "null" {
			continue
		}
		var num json.Number
		if err := json.Unmarshal(n, &num); err != nil || n[0] == '"' {
			return nil, fmt.Errorf("%.40s is not a number", n)
		}
		// A number such as 1e999999999 is short and has a billion digits.
		r, ok := new(big.Rat).SetString(string(num))
		if f, err := num.Float64(); !ok || err != nil || f > 1e300 || f < -1e300 {
			return nil, fmt.Errorf("%.40s is out of range for adding", n)
		}
		sum.Add(sum, r)
	}
	for !new(big.Rat).Mul(sum, pow10(decimals)).IsInt() {
		if decimals++; decimals > 400 {
			return nil, fmt.Errorf("the sum has too many decimals")
		}
	}
	return json.RawMessage(sum.FloatString(decimals)), nil
}

func pow10(n int) *big.Rat {
	return new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil))
}
