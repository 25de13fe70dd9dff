package flow

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/adapter"
)

// fill sets about one in n of the fields of v, and of what is inside of them, to something random.
func fill(r *rand.Rand, v reflect.Value, n int) {
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range v.Fields() {
			if f.CanSet() && (r.IntN(n) == 0 || f.Kind() == reflect.Struct) {
				fill(r, f, n)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(3), 3))
		for i := range v.Len() {
			fill(r, v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(3) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, key, n)
			fill(r, value, n)
			v.SetMapIndex(key, value)
		}
	case reflect.String:
		v.SetString([]string{"", "plain", "<ü>", `"\`, "\x00\u2028"}[r.IntN(5)])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint64:
		v.SetUint(r.Uint64() >> r.IntN(64))
	default:
		v.SetInt((r.Int64() >> r.IntN(63)) * int64(1-2*r.IntN(2)))
	}
}

// checkStateJSON compares Encode and DecodeState with encoding/json.
func checkStateJSON(t *testing.T, s *State) {
	t.Helper()
	want, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	got := s.Encode()
	var a, b any
	if err := json.Unmarshal(want, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, &b); err != nil || !reflect.DeepEqual(a, b) {
		t.Fatalf("encoded as %s, %v; want the fields of %s", got, err, want)
	}
	plain := &State{}
	if err := json.Unmarshal(got, plain); err != nil {
		t.Fatal(err)
	}
	if back, err := DecodeState(got); err != nil || !reflect.DeepEqual(back, plain) {
		t.Fatalf("%s is decoded as %+v, %v; want %+v", got, back, err, plain)
	}
}

func TestStateJSON(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		var s State
		fill(r, reflect.ValueOf(&s).Elem(), 1+i%12)
		checkStateJSON(t, &s)
	}
}

func TestStartInfoJSON(t *testing.T) {
	t.Parallel()
	for _, info := range []StartInfo{{}, {Worker: "me"}, {Worker: "<me>", Delivery: 2, At: 1_780_000_000_000}} {
		if got, want := string(info.encode()), string(raw(info)); got != want {
			t.Errorf("encoded as %s, want %s", got, want)
		}
	}
}

func TestUsualStatesAreReadWithoutReflection(t *testing.T) {
	t.Parallel()
	s := State{Format: Format, Flow: "order", Definition: "hash", Status: StatusRunning, Paused: true, Epoch: 1, Seq: 7, Input: 1,
		NextGroup: 2, Result: 3, End: 4, Reason: "r", Headers: map[string]string{"a": "b"}, Data: []string{"k"},
		Keys: map[string]string{"s": "k"}, WakeAt: 5, LookAt: 6, Quiet: 1, Commit: 1 << 63,
		Scope: Scope{Open: 1, Steps: []StepState{{Step: "one", Fill: []uint64{0, 1}, Due: 1, Armed: true, Opened: 1, Done: 2, Failed: 3,
			Iters: []Iteration{{N: 1, Phase: PhaseDelay, Attempt: 1, Dispatch: 2, Crashes: 1, In: []uint64{1}, Origin: "o", RunAt: 3,
				Started: true, Owner: "me", Failed: true, Await: 1, Tries: 2, Awaited: 3, Done: 4}}}}}}
	var back State
	if !back.read(s.Encode()) || !reflect.DeepEqual(back, s) {
		t.Errorf("read %+v, want %+v", back, s)
	}
}

func FuzzDecodeState(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 30 {
		var s State
		fill(r, reflect.ValueOf(&s).Elem(), 1+i%6)
		f.Add([]byte(s.Encode()))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := adapter.Validate(data); err != nil && strings.Contains(err.Error(), "twice") {
			return // with equal keys encoding/json merges what they hold
		}
		var want State
		wantErr := json.Unmarshal(data, &want)
		got, err := DecodeState(data)
		if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(*got, want) {
			t.Errorf("%s is decoded as %+v, %v; want %+v, %v", data, got, err, want, wantErr)
		}
	})
}

func BenchmarkState(b *testing.B) {
	s := State{Format: Format, Flow: "order", Definition: strings.Repeat("0f", 32), Status: StatusRunning, Epoch: 1, Seq: 7, Input: 1,
		WakeAt: 1_780_000_000_000, LookAt: 1_780_000_000_000, Commit: 1 << 63, Scope: Scope{Open: 1, Steps: []StepState{
			{Step: "one", Opened: 1, Done: 1},
			{Step: "two", Opened: 1, Iters: []Iteration{{Attempt: 1, Dispatch: 1, In: []uint64{5}, Started: true}}},
		}}}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Encode()
		}
	})
	body := s.Encode()
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeState(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode by reflection", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			raw(&s)
		}
	})
	b.Run("decode by reflection", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := json.Unmarshal(body, &State{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
