package config

import (
	"cmp"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nvent-go/nvent/internal/document"
)

const durationForm = "write a number and a unit, such as 500ms, 30s, 5m, 12h or 7d"

func (d *Decoder) scalar(n *Node, v reflect.Value, f Field) {
	var ok bool
	switch {
	case IsDuration(v.Type()):
		ok = d.duration(n, v, f)
	case f.Unit == "bytes":
		ok = d.size(n, v)
	case v.CanInt() || v.CanUint():
		ok = d.integer(n, v)
	case v.CanFloat():
		ok = d.float(n, v)
	case v.Kind() == reflect.Bool:
		ok = d.boolean(n, v)
	case v.Kind() == reflect.String:
		if ok = n.Kind == Text; ok {
			v.SetString(n.Value.(string))
			break
		}
		fix := "put quotes around it"
		if n.Kind == List || n.Kind == Map {
			fix = ""
		}
		d.refuse(n, "is "+n.Kind.String()+", not text", fix)
	default:
		d.refuse(n, "has the Go type "+v.Type().String()+", which cannot be configured", "this is a mistake of the adapter's author")
	}
	if !ok {
		return
	}
	what, near, fix := f.violation(v, n.show(d.Guarded))
	if what == "" && !d.Guarded {
		what, fix = misplacedURL(v)
	}
	if what != "" {
		d.refuse(n, what, fix).Near = near
	}
}

// misplacedURL refuses a URL where none belongs. It may have credentials in it, and nothing there would guard them.
func misplacedURL(v reflect.Value) (what, fix string) {
	if v.Kind() == reflect.String && strings.Contains(v.String(), "://") {
		return "a URL does not belong here", "how to reach a backend goes into connections.<adapter>"
	}
	return "", ""
}

func (d *Decoder) duration(n *Node, v reflect.Value, f Field) bool {
	number, isNumber := n.number()
	var got time.Duration
	var err error
	switch {
	case isNumber:
		got, err = unitDuration(number, f.Unit)
	case n.Kind == Text:
		got, err = ParseDuration(n.Value.(string))
	default:
		d.refuse(n, "is "+n.Kind.String()+", not a duration", durationForm)
		return false
	}
	switch {
	case errors.Is(err, errRange):
		d.refuse(n, n.show(d.Guarded)+" is longer than 292 years", "use less")
	case err != nil:
		_, numeric := strconv.ParseFloat(n.Value.(string), 64)
		fix := durationForm
		if unit := "milliseconds"; numeric == nil {
			if f.Unit == "s" {
				unit = "seconds"
			}
			fix += "; without quotes a number means " + unit
		}
		d.refuse(n, n.show(d.Guarded)+" is not a duration", fix)
	default:
		v.SetInt(int64(got))
	}
	return err == nil
}

// number returns the value of a node that is a number, or text from the environment that reads as one.
func (n *Node) number() (float64, bool) {
	switch x := n.Value.(type) {
	case int64:
		return float64(x), true
	case uint64:
		return float64(x), true
	case float64:
		return x, true
	case string:
		f, err := strconv.ParseFloat(x, 64)
		return f, n.Expanded && err == nil
	}
	return 0, false
}

func (d *Decoder) size(n *Node, v reflect.Value) bool {
	const form = "write a number of bytes, or a number and a unit such as 512KiB or 4MiB"
	if n.Kind != Text {
		return d.integer(n, v)
	}
	size, err := parseSize(n.Value.(string))
	switch {
	case errors.Is(err, errRange), err == nil && (size > math.MaxInt64 || v.OverflowInt(int64(size))):
		d.refuse(n, n.show(d.Guarded)+" is too large", form)
		return false
	case err != nil:
		d.refuse(n, n.show(d.Guarded)+" is not a size", form)
		return false
	}
	v.SetInt(int64(size))
	return true
}

func (d *Decoder) integer(n *Node, v reflect.Value) bool {
	digits := ""
	switch x := n.Value.(type) {
	case int64:
		digits = strconv.FormatInt(x, 10)
	case uint64:
		digits = strconv.FormatUint(x, 10)
	case string:
		// YAML takes a number that does not fit into 64 bits for text.
		if _, err := strconv.ParseInt(x, 10, 64); n.Expanded || errors.Is(err, strconv.ErrRange) {
			digits = strings.TrimSpace(x)
		}
	}
	var err error
	if v.CanUint() {
		var u uint64
		if u, err = strconv.ParseUint(digits, 10, v.Type().Bits()); err == nil {
			v.SetUint(u)
		}
	} else {
		var i int64
		if i, err = strconv.ParseInt(digits, 10, v.Type().Bits()); err == nil {
			v.SetInt(i)
		}
	}
	switch {
	case errors.Is(err, strconv.ErrRange):
		d.refuse(n, n.show(d.Guarded)+" is out of range", "")
	case err != nil && strings.HasPrefix(digits, "-") && v.CanUint():
		d.refuse(n, n.show(d.Guarded)+" is negative", "")
	case err != nil:
		fix := ""
		if s, ok := n.Value.(string); ok {
			if _, err := strconv.ParseInt(s, 10, 64); err == nil {
				fix = "write it without quotes"
			}
		}
		d.refuse(n, notA(n, "a whole number", d.Guarded), fix)
	}
	return err == nil
}

func (d *Decoder) float(n *Node, v reflect.Value) bool {
	x, ok := n.number()
	if !ok || math.IsNaN(x) || math.IsInf(x, 0) || v.OverflowFloat(x) {
		d.refuse(n, notA(n, "a number", d.Guarded), "")
		return false
	}
	v.SetFloat(x)
	return true
}

func (d *Decoder) boolean(n *Node, v reflect.Value) bool {
	b, ok := n.Value.(bool)
	if s, text := n.Value.(string); text && n.Expanded {
		b, ok = s == "true", s == "true" || s == "false"
	}
	if !ok {
		d.refuse(n, notA(n, "true or false", d.Guarded), "write true or false, without quotes")
		return false
	}
	v.SetBool(b)
	return true
}

func notA(n *Node, want string, guarded bool) string {
	shown := n.show(guarded)
	if shown == n.Kind.String() {
		return "is " + shown + ", not " + want
	}
	return shown + " is not " + want
}

// violation says how a value breaks the bounds of its field. shown is how a message may name the value.
func (f Field) violation(v reflect.Value, shown string) (what, near, fix string) {
	switch {
	case v.Kind() == reflect.String && len(f.Enum) > 0:
		if !slices.Contains(f.Enum, v.String()) {
			return shown + " is not known", document.Nearest(v.String(), f.Enum), "use " + orList(f.Enum)
		}
	case v.Kind() == reflect.String:
		if v.String() == "" && f.Default != "" {
			return "is empty", "", "remove the key for the default, " + f.Default
		}
	case f.Min != "" && f.compare(v, f.Min) < 0:
		return shown + " is too small", "", f.bounds()
	case f.Max != "" && f.compare(v, f.Max) > 0:
		return shown + " is too large", "", f.bounds()
	}
	return "", "", ""
}

func (f Field) bounds() string {
	low, high := f.Min, f.Max
	switch {
	case high == "":
		return "at least " + low
	case low == "":
		return "at most " + high
	}
	return low + " to " + high
}

// compare compares a value with a bound as a tag has it. A bound that its field's type cannot hold is a programmer's error.
func (f Field) compare(v reflect.Value, bound string) int {
	want := reflect.New(v.Type()).Elem()
	var d Decoder
	d.scalar(&Node{Kind: Text, Value: bound, Expanded: true}, want, Field{Unit: f.Unit})
	if len(d.Problems) > 0 {
		panic("config: bad bound in a tag: " + d.Problems[0].String())
	}
	switch {
	case v.CanInt():
		return cmp.Compare(v.Int(), want.Int())
	case v.CanUint():
		return cmp.Compare(v.Uint(), want.Uint())
	}
	return cmp.Compare(v.Float(), want.Float())
}

func orList(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
