package flow

import (
	"encoding/json"
	"fmt"
	"math/big"
)

// maxAddDigits bounds the operands of AddNumbers: a number such as 1e999999999 is short to write and long to add.
const maxAddDigits = 400

// AddNumbers returns the exact sum of two JSON numbers. An absent or null a counts as zero.
func AddNumbers(a, b json.RawMessage) (json.RawMessage, error) {
	sum := new(big.Rat)
	for _, n := range []json.RawMessage{a, b} {
		if len(n) == 0 || string(n) == "null" {
			continue
		}
		var num json.Number
		if err := json.Unmarshal(n, &num); err != nil || n[0] == '"' {
			return nil, fmt.Errorf("%.40s is not a number", n)
		}
		if f, err := num.Float64(); err != nil || f > 1e300 || f < -1e300 || len(num) > maxAddDigits {
			return nil, fmt.Errorf("%.40s is out of range for adding", n)
		}
		r, ok := new(big.Rat).SetString(string(num))
		if !ok {
			return nil, fmt.Errorf("%.40s is out of range for adding", n)
		}
		sum.Add(sum, r)
	}
	if sum.IsInt() {
		return json.RawMessage(sum.Num().String()), nil
	}
	digits, exact := sum.FloatPrec()
	if !exact || digits > maxAddDigits {
		return nil, fmt.Errorf("the sum has too many decimals")
	}
	return json.RawMessage(sum.FloatString(digits)), nil
}
