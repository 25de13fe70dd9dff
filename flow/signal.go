package flow

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/nvent-go/nvent/adapter"
)

// SignalToken is a one-use permission to signal a step that awaits a signal. What it is a hash of is known to whoever got the
// token only.
type SignalToken struct {
	Hash    string `json:"hash"`
	Scope   string `json:"scope"`
	Step    string `json:"step"`
	Expires int64  `json:"expires,omitempty"` // Unix milliseconds; 0: with the run
	Seq     uint64 `json:"seq,omitempty"`     // of a signal that came before somebody waited for it
	To      []Via  `json:"to,omitempty"`      // what that signal reaches
}

// NewSignal is a token that a handler has given out.
type NewSignal struct {
	Hash string
	Step string
	TTL  Duration
}

func (t *transition) newSignal(p *place, n NewSignal) {
	tok := SignalToken{Hash: n.Hash, Scope: p.path, Step: n.Step}
	if n.TTL > 0 {
		tok.Expires = t.now.Add(time.Duration(n.TTL)).UnixMilli()
	}
	t.s.Tokens = slices.DeleteFunc(t.s.Tokens, func(old SignalToken) bool {
		return old.Expires != 0 && old.Expires <= t.now.UnixMilli() && old.Seq == 0
	})
	t.s.Tokens = append(t.s.Tokens, tok)
}

// dropTokens forgets the tokens of a scope that has ended: nothing in it waits any more.
func (t *transition) dropTokens(scope string) {
	t.s.Tokens = slices.DeleteFunc(t.s.Tokens, func(tok SignalToken) bool {
		return tok.Scope == scope || strings.HasPrefix(tok.Scope, scope+"/")
	})
}

// Signal is a signal that came with a token, for the scope that the token was made in.
type Signal struct {
	Hash    string
	Scope   string
	Payload json.RawMessage
}

func (s Signal) scopePath() string { return s.Scope }

// decide is stale for a token that is unknown, used, or expired.
func (s Signal) decide(t *transition) Verdict {
	if t.s.Status != StatusRunning {
		return Stale
	}
	i := slices.IndexFunc(t.s.Tokens, func(tok SignalToken) bool { return tok.Hash == s.Hash })
	if i < 0 {
		return Stale
	}
	tok := t.s.Tokens[i]
	if tok.Seq != 0 || (tok.Expires != 0 && tok.Expires <= t.now.UnixMilli()) {
		return Stale
	}
	p := t.place(tok.Scope)
	if p == nil {
		return Stale
	}
	step := t.def.Step(tok.Step)
	if st := p.scope.step(tok.Step); st != nil {
		for j := range st.Iters {
			it := &st.Iters[j]
			if it.Await != 0 && waitsForSignal(step, it) {
				t.s.Tokens = slices.Delete(t.s.Tokens, i, i+1)
				t.resolve(p, step, it, s.Payload, 0, nil)
				return Accepted
			}
		}
	}
	to, err := t.vias(step.resolvedEvent, s.Payload)
	if err != nil {
		return Stale
	}
	t.s.Tokens[i].To = to
	t.s.Tokens[i].Seq = t.record(adapter.Record{Type: RecordSignal, Step: tok.Step, Scope: tok.Scope, Data: s.Payload})
	return Accepted
}

func waitsForSignal(step *Step, it *Iteration) bool {
	return it.Phase == PhaseBefore && step.Before.Type == AwaitSignal || it.Phase == PhaseAfter && step.After.Type == AwaitSignal
}

// earlySignal resolves an await whose signal came before it.
func (t *transition) earlySignal(p *place, step *Step, it *Iteration) {
	i := slices.IndexFunc(t.s.Tokens, func(tok SignalToken) bool {
		return tok.Step == step.Name && tok.Scope == p.path && tok.Seq != 0
	})
	if i < 0 {
		return
	}
	tok := t.s.Tokens[i]
	t.s.Tokens = slices.Delete(t.s.Tokens, i, i+1)
	t.resolve(p, step, it, nil, tok.Seq, tok.To)
}
