package flow

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/nvent-go/nvent/internal/document"
)

// ParseWiring reads a flow document: JSON if name ends in .json or if data is valid JSON, YAML otherwise. name is the file's,
// for error messages. It is strict: an unknown key, a value of the wrong type or a key that is there twice is an error, and
// the error lists all of them with line and column. The name inside a step may be left out. What the document means is
// checked by [Compile].
func ParseWiring(data []byte, name string) (Wiring, error) {
	var w Wiring
	if err := document.Read(data, name, &w); err != nil {
		return Wiring{}, err
	}
	for key, s := range w.Steps {
		if s.Name == "" {
			s.Name = key
			w.Steps[key] = s
		}
	}
	return w, nil
}

// YAML returns the document as YAML. [ParseWiring] reads it back as a flow of the same hash.
func (w Wiring) YAML() ([]byte, error) {
	b, err := json.Marshal(w)
	if err == nil {
		b, err = document.YAML(b)
	}
	if err != nil {
		return nil, fmt.Errorf("encode flow %q as YAML: %w", w.Name, err)
	}
	return b, nil
}

// UnmarshalJSON reads a number of milliseconds, a duration such as "2s", or an object. A single delay is a fixed back-off.
func (b *Backoff) UnmarshalJSON(data []byte) error {
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] == '{' {
		type object Backoff
		return json.Unmarshal(data, (*object)(b))
	}
	var d Duration
	if err := d.UnmarshalJSON(data); err != nil {
		return err
	}
	*b = Backoff{}
	if d > 0 {
		*b = Backoff{Kind: BackoffFixed, Base: d}
	}
	return nil
}
