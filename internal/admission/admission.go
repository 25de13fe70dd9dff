// Package admission decides which runs of a flow with limits may begin. A run is a document before it is admitted: it waits,
// and may be found, waited for and cancelled like any other.
//
// A [Gate] counts the runs of a flow, or those of one key of it, in a document of its own. With it, in the same partition, are
// the members: a document for each run that is inside or waits. Every change is one commit, guarded by the version of the gate,
// and made by the run that enters or leaves, whose member says what has been done. So entering and leaving may be repeated, and
// a run goes on asking until it is in, or out.
package admission

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// The collections of admission.
const (
	CollectionGates   = "flow-gates"        // {gate}: gateDoc
	CollectionMembers = "flow-gate-members" // {gate}/{run}: memberDoc
)

// Collections are to be declared in the store.
var Collections = []adapter.Collection{
	{Name: CollectionGates},
	{Name: CollectionMembers, Indexes: []adapter.Index{{Equal: []string{"waits"}, Order: "place"}}},
}

// Gate is what a run has to pass.
type Gate struct {
	ID       string
	Max      int        // runs inside at once; 0 = any number
	Rate     *flow.Rate // of those that are let in; nil = any
	WhenBusy string     // flow.BusyWait, BusySkip or BusyReplace; the latter two with a Max of 1
	Debounce time.Duration
}

// Gates returns the gates of a run with a key, in the order in which it passes them.
func Gates(flowName, key string, l *flow.Limits) []Gate {
	all := Gate{ID: gateID(flowName, ""), Max: l.MaxRuns, Rate: l.Rate}
	if l.Key == "" {
		all.WhenBusy, all.Debounce = l.WhenBusy, time.Duration(l.Debounce)
		return []Gate{all}
	}
	own := Gate{ID: gateID(flowName, key), Max: l.MaxRunsPerKey, Rate: l.RatePerKey, WhenBusy: l.WhenBusy, Debounce: time.Duration(l.Debounce)}
	if all.Max == 0 && all.Rate == nil {
		return []Gate{own}
	}
	return []Gate{own, all}
}

// gateID returns the ID of a gate, which is its partition. Keys are hashed: they may be anything.
func gateID(flowName, key string) string {
	if key == "" {
		return "gate:" + flowName
	}
	sum := sha256.Sum256([]byte(key))
	return "gate:" + flowName + ":" + hex.EncodeToString(sum[:16])
}

// gateDoc is what a gate remembers.
type gateDoc struct {
	Inside  int    `json:"inside,omitempty"`
	Waiting int    `json:"waiting,omitempty"`
	Place   int64  `json:"place,omitempty"`  // of the last run that began to wait
	Holder  string `json:"holder,omitempty"` // the run inside, of a gate that lets one in
	Next    string `json:"next,omitempty"`   // the run that replaces it
	Latest  string `json:"latest,omitempty"` // the last run that started, while others may still come and take its place
	Free    int64  `json:"free,omitempty"`   // when the rate has forgotten everything, Unix milliseconds
}

// memberDoc is what a gate knows about a run.
type memberDoc struct {
	Waits string `json:"waits,omitempty"` // the gate that it waits at; absent: it is inside, or debounces
	Place int64  `json:"place,omitempty"` // in the row of those that wait
	Quiet int64  `json:"quiet,omitempty"` // it debounces until then, Unix milliseconds
	Due   int64  `json:"due,omitempty"`   // when it may begin, once it is inside
}

// Answer is what a gate says to a run.
type Answer struct {
	Inside  bool
	Due     time.Time // when a run that is inside may begin; zero: at once
	Again   time.Time // when a run that waits has to ask again; zero: it is told when it is its turn
	Refused bool      // the run is to be cancelled
	Reason  string    // of that
	Holder  string    // the run that is in the way of one that is refused
	Cancel  []string  // other runs that are to be cancelled
}

// Reasons of refusals.
const (
	ReasonBusy     = "another run of the flow, or of its key, is in progress"
	ReasonReplaced = "a later start has taken its place"
)

// Enter asks a gate to let a run in. It may be asked again and again.
func Enter(ctx context.Context, s adapter.Store, g Gate, run string) (Answer, error) {
	for {
		v, err := read(ctx, s, g.ID, run)
		if err != nil {
			return Answer{}, err
		}
		a, changed := v.enter(g)
		if !changed {
			return a, nil
		}
		if done, err := v.commit(ctx, s); err != nil || done {
			return a, err
		}
	}
}

// Holder returns the run inside of a gate that lets one in, or "".
func Holder(ctx context.Context, s adapter.Store, g Gate) (string, error) {
	v, err := read(ctx, s, g.ID, "")
	return v.gate.Holder, err
}

// maxPromoted is how many runs are let in by one commit.
const maxPromoted = 16

// Leave takes a run out of a gate, wherever it is there, and returns the runs that are let in in its place. Leaving again does
// nothing.
func Leave(ctx context.Context, s adapter.Store, g Gate, run string) (promoted []string, err error) {
	for {
		v, err := read(ctx, s, g.ID, run)
		if err != nil {
			return nil, err
		}
		if v.memberV == adapter.Absent {
			return nil, nil
		}
		v.leave()
		if promoted, err = v.promote(ctx, s, g); err != nil {
			return nil, err
		}
		if done, err := v.commit(ctx, s); err != nil || done {
			return promoted, err
		}
	}
}

// visit is a run at a gate.
type visit struct {
	id, run string
	now     time.Time

	gate    gateDoc
	gateV   adapter.Version
	member  memberDoc
	memberV adapter.Version // Absent: the gate does not know the run
	gone    bool            // the member is to be deleted

	others []adapter.Doc // members that are let in
}

func memberID(gate, run string) string { return gate + "/" + run }

// read returns what a gate knows, and about a run if that is not empty.
func read(ctx context.Context, s adapter.Store, gate, run string) (*visit, error) {
	v := &visit{id: gate, run: run}
	fail := func(err error) (*visit, error) { return v, fmt.Errorf("read gate %s: %w", gate, err) }
	var err error
	if v.now, err = s.Now(ctx); err != nil {
		return fail(err)
	}
	docs, err := s.Get(ctx, CollectionGates, gate)
	if err == nil && len(docs) > 0 {
		v.gateV = docs[0].Version
		err = json.Unmarshal(docs[0].Body, &v.gate)
	}
	if err != nil || run == "" {
		if err != nil {
			return fail(err)
		}
		return v, nil
	}
	docs, err = s.Get(ctx, CollectionMembers, memberID(gate, run))
	if err == nil && len(docs) > 0 {
		v.memberV = docs[0].Version
		err = json.Unmarshal(docs[0].Body, &v.member)
	}
	if err != nil {
		return fail(err)
	}
	return v, nil
}

// commit writes what a visit has changed. False: somebody was faster.
func (v *visit) commit(ctx context.Context, s adapter.Store) (bool, error) {
	b := adapter.Batch{Partition: adapter.Partition(v.id), Puts: v.others}
	gate := adapter.Doc{Collection: CollectionGates, ID: v.id, Version: v.gateV}
	switch idle := v.gate.Inside == 0 && v.gate.Waiting == 0 && v.gate.Latest == "" && v.gate.Next == ""; {
	case idle && v.gate.Free <= v.now.UnixMilli() && v.gateV != adapter.Absent:
		b.Deletes = append(b.Deletes, gate) // there are as many gates as keys
	default:
		if idle {
			gate.ExpireAt = time.UnixMilli(v.gate.Free)
		}
		gate.Body = encode(v.gate)
		b.Puts = append(b.Puts, gate)
	}
	member := adapter.Doc{Collection: CollectionMembers, ID: memberID(v.id, v.run), Version: v.memberV}
	if v.gone {
		b.Deletes = append(b.Deletes, member)
	} else {
		member.Body = encode(v.member)
		b.Puts = append(b.Puts, member)
	}
	_, err := s.Commit(ctx, b)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, adapter.ErrConflict):
		return false, nil
	}
	return false, fmt.Errorf("commit gate %s: %w", v.id, err)
}

func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("admission: encode: " + err.Error()) // numbers and strings always encode
	}
	return b
}
