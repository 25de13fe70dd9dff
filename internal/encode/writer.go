package encode

import (
	"bytes"
	"encoding/json"
	"sync"
)

// Writer writes a JSON document of known shape: objects with their fields, and arrays. Commas are its business. Methods that
// begin with Omit leave a field out that has its zero value, as omitempty does.
type Writer struct{ b []byte }

// maxKept is how much room a writer may have that is used again, in bytes.
const maxKept = 64 << 10

var writers = sync.Pool{New: func() any { return &Writer{make([]byte, 0, 1024)} }}

// NewWriter returns an empty writer.
func NewWriter() *Writer { return writers.Get().(*Writer) }

// Finish returns what was written, in memory of its own and of just its size. The writer must not be used any more.
func (w *Writer) Finish() []byte {
	b := bytes.Clone(w.b)
	if w.b = w.b[:0]; cap(w.b) <= maxKept {
		writers.Put(w)
	}
	return b
}

// Begin begins an object or an array, by its bracket: as the document, an element of an array, or the value of a Key.
func (w *Writer) Begin(bracket byte) {
	w.comma()
	w.b = append(w.b, bracket)
}

// End ends what was begun last, by its bracket.
func (w *Writer) End(bracket byte) { w.b = append(w.b, bracket) }

func (w *Writer) comma() {
	if n := len(w.b); n > 0 {
		if c := w.b[n-1]; c != '{' && c != '[' && c != ':' {
			w.b = append(w.b, ',')
		}
	}
}

// Key writes the name of a field, which must not need escapes. Its value comes next.
func (w *Writer) Key(name string) {
	w.comma()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

// Int writes a field.
func (w *Writer) Int(name string, n int64) {
	w.Key(name)
	w.b = Int(w.b, n)
}

// OmitInt writes a field.
func (w *Writer) OmitInt(name string, n int64) {
	if n != 0 {
		w.Int(name, n)
	}
}

// Uint writes a field.
func (w *Writer) Uint(name string, n uint64) {
	w.Key(name)
	w.b = Uint(w.b, n)
}

// OmitUint writes a field.
func (w *Writer) OmitUint(name string, n uint64) {
	if n != 0 {
		w.Uint(name, n)
	}
}

// String writes a field.
func (w *Writer) String(name, s string) {
	w.Key(name)
	w.b = String(w.b, s)
}

// OmitString writes a field.
func (w *Writer) OmitString(name, s string) {
	if s != "" {
		w.String(name, s)
	}
}

// OmitBool writes a field.
func (w *Writer) OmitBool(name string, v bool) {
	if v {
		w.Key(name)
		w.b = Bool(w.b, v)
	}
}

// Uints writes a field.
func (w *Writer) Uints(name string, list []uint64) {
	w.Key(name)
	w.b = Uints(w.b, list)
}

// OmitUints writes a field.
func (w *Writer) OmitUints(name string, list []uint64) {
	if len(list) > 0 {
		w.Uints(name, list)
	}
}

// OmitStrings writes a field.
func (w *Writer) OmitStrings(name string, list []string) {
	if len(list) > 0 {
		w.Key(name)
		w.b = Strings(w.b, list)
	}
}

// OmitStringMap writes a field.
func (w *Writer) OmitStringMap(name string, m map[string]string) {
	if len(m) > 0 {
		w.Key(name)
		w.b = StringMap(w.b, m)
	}
}

// Value writes a field by encoding/json: what is rare. It panics on what has no JSON form.
func (w *Writer) Value(name string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("encode field " + name + ": " + err.Error())
	}
	w.Key(name)
	w.b = append(w.b, b...)
}
