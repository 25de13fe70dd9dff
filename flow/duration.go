package flow

import (
	"encoding/json"
	"fmt"
	"time"
)

// Duration is a [time.Duration] that is written to documents as "1m30s", and read from that or from a number of
// milliseconds.
type Duration time.Duration

// MarshalJSON writes the duration as a string.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads a string such as "1m30s", or milliseconds. A negative duration is an error.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case float64:
		if v < 0 {
			return fmt.Errorf("duration %v ms is negative", v)
		}
		if v >= float64(1<<63-1)/1e6 {
			return fmt.Errorf("duration %v ms is out of range: use 0 to 292 years", v)
		}
		*d = Duration(v * float64(time.Millisecond))
		return nil
	case string:
		p, err := time.ParseDuration(v)
		if err == nil && p < 0 {
			return fmt.Errorf("duration %q is negative", v)
		}
		if err != nil {
			return fmt.Errorf("duration %q is not understood: write it like \"1m30s\", or as a number of milliseconds", v)
		}
		*d = Duration(p)
		return nil
	}
	return fmt.Errorf("duration %s is not understood: write it like \"1m30s\", or as a number of milliseconds", b)
}
