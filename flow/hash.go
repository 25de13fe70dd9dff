package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/nvent-go/nvent/adapter"
)

// hash returns the content hash of a document that has been accepted: SHA-256 of its canonical form as JSON.
func hash(w Wiring) string {
	sum := sha256.Sum256(raw(canonical(w)))
	return hex.EncodeToString(sum[:])
}

// canonical returns an equal document with defaults left out and with everything in a fixed order whose order has no
// meaning. The order of the connections of one step has one: they are the parameters of its handler.
func canonical(w Wiring) Wiring {
	c := Wiring{Name: w.Name, Steps: maps.Clone(w.Steps), Connections: slices.Clone(w.Connections), Config: w.Config}
	slots := map[string]int{}
	for i, conn := range c.Connections {
		slots[conn.To]++
		if conn.Repeat == RepeatFirst {
			c.Connections[i].Repeat = ""
		}
	}
	slices.SortStableFunc(c.Connections, func(a, b Connection) int {
		switch {
		case a.To < b.To:
			return -1
		case a.To > b.To:
			return 1
		}
		return 0
	})
	for name, s := range c.Steps {
		s.Name = name
		s.Config.Emits = slices.Sorted(slices.Values(s.Config.Emits))
		s.Config.EmitsAll = slices.Sorted(slices.Values(s.Config.EmitsAll))
		s.Config.AwaitBefore, s.Config.AwaitAfter = canonicalAwait(s.Config.AwaitBefore), canonicalAwait(s.Config.AwaitAfter)
		if s.Config.Queue == w.Name {
			s.Config.Queue = ""
		}
		if s.Config.OnFailure == OnFailureFail {
			s.Config.OnFailure = ""
		}
		if need := needed(s.Config.Join, slots[name]); need == slots[name] {
			s.Config.Join = nil
		} else {
			s.Config.Join = &Join{Mode: JoinModeN, N: need}
		}
		if s.Retry != nil && *s.Retry == (Retry{Attempts: 1}) {
			s.Retry = nil
		}
		c.Steps[name] = s
	}
	return c
}

// needed returns how many of a step's slots must be filled.
func needed(j *Join, slots int) int {
	switch {
	case j == nil || j.Mode == JoinModeAll:
		return slots
	case j.Mode == JoinModeAny:
		return 1
	}
	return j.N
}

func canonicalAwait(a *Await) *Await {
	if a == nil {
		return nil
	}
	c := *a
	if c.OnTimeout == TimeoutFail {
		c.OnTimeout = ""
	}
	if c.LookBack == Duration(defaultLookBack) {
		c.LookBack = 0
	}
	if canonical, err := adapter.Canonical(c.Default); err == nil {
		c.Default = canonical
	}
	if string(c.Default) == "null" {
		c.Default = nil
	}
	return &c
}
