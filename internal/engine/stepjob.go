package engine

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/encode"
)

// stepJob is the data of a step's job: {"nvent":{"token":…,"definition":…,"format":1},"input":…}. The input of a step with
// one connection is the payload; with several it is an object, payload by event name. It is always there for external
// steps; for ours it is left out when a payload is not at hand or the job would become too large, and read from the log.
type stepJob struct {
	Nvent *stepJobHead    `json:"nvent"`
	Input json.RawMessage `json:"input"`
}

type stepJobHead struct {
	Token  flow.Token `json:"token"`
	Format int        `json:"format"`
}

var stepJobPrefix = []byte(`{"nvent":{"token":{`)

// encodeStepJob writes the data of a step's job.
func encodeStepJob(t flow.Token, def string, step *flow.Step, it *flow.Iteration,
	payload func(uint64) (json.RawMessage, bool), limit int) json.RawMessage {
	b := make([]byte, 0, 320)
	b = append(b, `{"nvent":{"token":{"run":`...)
	b = encode.String(b, t.Run)
	b = append(b, `,"epoch":`...)
	b = strconv.AppendInt(b, int64(t.Epoch), 10)
	b = append(b, `,"step":`...)
	b = encode.String(b, t.Step)
	b = append(b, `,"scope":`...)
	b = encode.String(b, t.Scope)
	b = append(b, `,"iteration":`...)
	b = strconv.AppendInt(b, int64(t.Iteration), 10)
	b = append(b, `,"dispatch":`...)
	b = strconv.AppendInt(b, int64(t.Dispatch), 10)
	b = append(b, `},"definition":`...)
	b = encode.String(b, def)
	b = append(b, `,"format":`...)
	b = strconv.AppendInt(b, flow.Format, 10)
	b = append(b, '}')
	head := len(b)
	if step.Collects() {
		return append(b, '}') // it reads its group page by page
	}
	b = append(b, `,"input":`...)
	b, ok := appendInput(b, step, it, payload)
	if !ok || (limit > 0 && len(b) > limit && !step.External) {
		b = b[:head]
	}
	return append(b, '}')
}

// appendInput writes the input of an iteration. It reports false when a payload is not at hand.
func appendInput(b []byte, step *flow.Step, it *flow.Iteration, payload func(uint64) (json.RawMessage, bool)) ([]byte, bool) {
	if len(it.In) == 1 {
		p, ok := payload(it.In[0])
		return appendPayload(b, p), ok
	}
	b = append(b, '{')
	first := true
	for i, seq := range it.In {
		if seq == 0 {
			continue
		}
		p, ok := payload(seq)
		if !ok {
			return b, false
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = encode.String(b, step.Slots[i].Event)
		b = append(b, ':')
		b = appendPayload(b, p)
	}
	return append(b, '}'), true
}

func appendPayload(b []byte, p json.RawMessage) []byte {
	if len(p) == 0 {
		return append(b, "null"...)
	}
	return append(b, p...)
}

// decodeStepJob reads the data of a job. ok is false if it is not a step's.
func decodeStepJob(data json.RawMessage) (head stepJobHead, input json.RawMessage, ok bool) {
	if head, input, ok = scanStepJob(data); ok {
		return head, input, true
	}
	if !bytes.Contains(data, []byte(`"nvent"`)) {
		return head, nil, false
	}
	var j stepJob
	if json.Unmarshal(data, &j) != nil || j.Nvent == nil || j.Nvent.Token.Run == "" || j.Nvent.Token.Step == "" {
		return head, nil, false
	}
	return *j.Nvent, j.Input, true
}

// scanStepJob reads what encodeStepJob wrote, byte for byte, without a JSON decoder. A queue may have written it anew; then
// it reports false.
func scanStepJob(data []byte) (head stepJobHead, input json.RawMessage, ok bool) {
	if !bytes.HasPrefix(data, stepJobPrefix) {
		return head, nil, false
	}
	s := scanner{rest: data[len(stepJobPrefix):], ok: true}
	head.Token.Run = s.text(`"run":`)
	head.Token.Epoch = s.number(`,"epoch":`)
	head.Token.Step = s.text(`,"step":`)
	head.Token.Scope = s.text(`,"scope":`)
	head.Token.Iteration = s.number(`,"iteration":`)
	head.Token.Dispatch = s.number(`,"dispatch":`)
	s.bytes(`},"definition":`)
	head.Format = s.number(`,"format":`)
	s.skip(`}`)
	if s.ok && len(s.rest) > 1 {
		s.skip(`,"input":`)
		if s.ok {
			input = s.rest[:len(s.rest)-1]
		}
	}
	return head, input, s.ok
}

type scanner struct {
	rest []byte
	ok   bool
}

func (s *scanner) skip(want string) {
	if !s.ok || len(s.rest) < len(want) || string(s.rest[:len(want)]) != want {
		s.ok = false
		return
	}
	s.rest = s.rest[len(want):]
}

func (s *scanner) text(before string) string { return string(s.bytes(before)) }

func (s *scanner) bytes(before string) []byte {
	s.skip(before)
	s.skip(`"`)
	end := bytes.IndexByte(s.rest, '"')
	if !s.ok || end < 0 || bytes.IndexByte(s.rest[:end], '\\') >= 0 {
		s.ok = false
		return nil
	}
	v := s.rest[:end]
	s.rest = s.rest[end+1:]
	return v
}

func (s *scanner) number(before string) int {
	s.skip(before)
	i := 0
	for s.ok && i < len(s.rest) && s.rest[i] >= '0' && s.rest[i] <= '9' {
		i++
	}
	n, err := strconv.Atoi(string(s.rest[:i]))
	if err != nil {
		s.ok = false
		return 0
	}
	s.rest = s.rest[i:]
	return n
}
