package flow

import (
	"encoding/json"

	"github.com/nvent-go/nvent/internal/decode"
	enc "github.com/nvent-go/nvent/internal/encode"
)

// The state is written at every commit, so what most states have is written and read without reflection.

// Encode returns the state as the body of its document.
func (s *State) Encode() json.RawMessage {
	w := enc.NewWriter()
	w.Begin('{')
	w.OmitInt("wakeAt", s.WakeAt) // stores index it: so they find it at once
	w.Int("format", int64(s.Format))
	w.String("flow", s.Flow)
	w.String("def", s.Definition)
	w.String("status", string(s.Status))
	w.OmitBool("paused", s.Paused)
	w.OmitBool("flowPaused", s.FlowPaused)
	w.Int("epoch", int64(s.Epoch))
	w.Uint("seq", s.Seq)
	w.Uint("input", s.Input)
	s.writeScope(w)
	w.OmitInt("nextGroup", int64(s.NextGroup))
	if len(s.Timers) > 0 {
		w.Value("timers", s.Timers)
	}
	if len(s.Ignored) > 0 {
		w.Value("ignored", s.Ignored)
	}
	w.OmitInt("ignoredCount", int64(s.IgnoredCount))
	w.OmitUint("result", s.Result)
	w.OmitUint("end", s.End)
	w.OmitString("reason", s.Reason)
	w.OmitStringMap("headers", s.Headers)
	w.OmitStrings("data", s.Data)
	w.OmitStringMap("keys", s.Keys)
	if len(s.Seen) > 0 {
		w.Value("seen", s.Seen)
	}
	if len(s.Tokens) > 0 {
		w.Value("tokens", s.Tokens)
	}
	if len(s.Launches) > 0 {
		w.Value("launches", s.Launches)
	}
	if s.Parent != nil {
		w.Value("parent", s.Parent)
	}
	if s.Admission != nil {
		w.Value("admission", s.Admission)
	}
	w.OmitInt("lookAt", s.LookAt)
	w.OmitInt("quiet", int64(s.Quiet))
	w.OmitBool("sought", s.Sought)
	w.OmitUint("commit", s.Commit)
	w.End('}')
	return w.Finish()
}

// writeScope writes the fields of the scope.
func (sc *Scope) writeScope(w *enc.Writer) {
	w.Int("open", int64(sc.Open))
	if len(sc.Steps) > 0 {
		w.Key("steps")
		w.Begin('[')
		for i := range sc.Steps {
			sc.Steps[i].write(w)
		}
		w.End(']')
	}
	if len(sc.Groups) > 0 {
		w.Value("groups", sc.Groups)
	}
}

func (st *StepState) write(w *enc.Writer) {
	w.Begin('{')
	w.String("step", st.Step)
	w.OmitUints("fill", st.Fill)
	w.OmitInt("due", st.Due)
	if len(st.Waiting) > 0 {
		w.Value("waiting", st.Waiting)
	}
	w.OmitBool("armed", st.Armed)
	w.OmitInt("opened", int64(st.Opened))
	w.OmitInt("done", int64(st.Done))
	w.OmitInt("failed", int64(st.Failed))
	if len(st.Iters) > 0 {
		w.Key("iters")
		w.Begin('[')
		for i := range st.Iters {
			st.Iters[i].write(w)
		}
		w.End(']')
	}
	w.End('}')
}

func (it *Iteration) write(w *enc.Writer) {
	w.Begin('{')
	w.Int("n", int64(it.N))
	w.OmitString("phase", string(it.Phase))
	w.Int("attempt", int64(it.Attempt))
	w.Int("dispatch", int64(it.Dispatch))
	w.OmitInt("crashes", int64(it.Crashes))
	w.Uints("in", it.In)
	w.OmitString("origin", it.Origin)
	if len(it.Groups) > 0 {
		w.Value("groups", it.Groups)
	}
	w.OmitInt("runAt", it.RunAt)
	w.OmitBool("started", it.Started)
	w.OmitString("owner", it.Owner)
	w.OmitBool("failed", it.Failed)
	w.OmitUint("await", it.Await)
	w.OmitInt("tries", int64(it.Tries))
	w.OmitUint("awaited", it.Awaited)
	w.OmitUint("done", it.Done)
	if len(it.Held) > 0 {
		w.Value("held", it.Held)
	}
	w.End('}')
}

// encode returns the data of a step.started record.
func (i *StartInfo) encode() json.RawMessage {
	w := enc.NewWriter()
	w.Begin('{')
	w.OmitString("worker", i.Worker)
	w.OmitInt("delivery", int64(i.Delivery))
	w.OmitInt("at", i.At)
	w.End('}')
	return w.Finish()
}

// DecodeState reads the body of a state document.
func DecodeState(b json.RawMessage) (*State, error) {
	s := &State{}
	if s.read(b) {
		return s, nil
	}
	*s = State{}
	if err := decode.JSON(b, s); err != nil {
		return nil, err
	}
	return s, nil
}

// read reads a state that has nothing rare in it, or reports false.
func (s *State) read(b []byte) bool {
	r := decode.NewReader(b)
	for key := range r.Object {
		switch string(key) {
		case "wakeAt":
			s.WakeAt = r.Int64()
		case "format":
			s.Format = r.Int()
		case "flow":
			s.Flow = r.String()
		case "def":
			s.Definition = r.String()
		case "status":
			s.Status = Status(r.String())
		case "paused":
			s.Paused = r.Bool()
		case "flowPaused":
			s.FlowPaused = r.Bool()
		case "epoch":
			s.Epoch = r.Int()
		case "seq":
			s.Seq = r.Uint()
		case "input":
			s.Input = r.Uint()
		case "open":
			s.Open = r.Int()
		case "steps":
			s.Steps = []StepState{}
			for range r.Array {
				s.Steps = append(s.Steps, readStep(r))
			}
		case "nextGroup":
			s.NextGroup = r.Int()
		case "result":
			s.Result = r.Uint()
		case "end":
			s.End = r.Uint()
		case "reason":
			s.Reason = r.String()
		case "headers":
			s.Headers = r.StringMap()
		case "data":
			s.Data = r.Strings()
		case "keys":
			s.Keys = r.StringMap()
		case "lookAt":
			s.LookAt = r.Int64()
		case "quiet":
			s.Quiet = r.Int()
		case "sought":
			s.Sought = r.Bool()
		case "commit":
			s.Commit = r.Uint()
		default:
			r.Unknown()
		}
	}
	return r.Done()
}

func readStep(r *decode.Reader) (st StepState) {
	for key := range r.Object {
		switch string(key) {
		case "step":
			st.Step = r.String()
		case "fill":
			st.Fill = r.Uints()
		case "due":
			st.Due = r.Int64()
		case "armed":
			st.Armed = r.Bool()
		case "opened":
			st.Opened = r.Int()
		case "done":
			st.Done = r.Int()
		case "failed":
			st.Failed = r.Int()
		case "iters":
			st.Iters = []Iteration{}
			for range r.Array {
				st.Iters = append(st.Iters, readIteration(r))
			}
		default:
			r.Unknown()
		}
	}
	return st
}

func readIteration(r *decode.Reader) (it Iteration) {
	for key := range r.Object {
		switch string(key) {
		case "n":
			it.N = r.Int()
		case "phase":
			it.Phase = Phase(r.String())
		case "attempt":
			it.Attempt = r.Int()
		case "dispatch":
			it.Dispatch = r.Int()
		case "crashes":
			it.Crashes = r.Int()
		case "in":
			it.In = r.Uints()
		case "origin":
			it.Origin = r.String()
		case "runAt":
			it.RunAt = r.Int64()
		case "started":
			it.Started = r.Bool()
		case "owner":
			it.Owner = r.String()
		case "failed":
			it.Failed = r.Bool()
		case "await":
			it.Await = r.Uint()
		case "tries":
			it.Tries = r.Int()
		case "awaited":
			it.Awaited = r.Uint()
		case "done":
			it.Done = r.Uint()
		default:
			r.Unknown()
		}
	}
	return it
}
