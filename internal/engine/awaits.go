package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// Events from outside are kept for awaits that begin later. Whoever sends one writes it and then looks for awaits; whoever
// begins to await commits that and then looks for events. Whichever is later sees the other.

// eventSpace is the namespace of the UUIDv5 of event names and of events that are sent with a key.
var eventSpace = uuid.MustParse("5d2f7c0a-90b4-5c0e-8a55-0c6f6f6a4e21")

// awaitDoc is the body of a document of CollectionAwaits.
type awaitDoc struct {
	flow.OpenAwait
	Match string `json:"match"`
}

// eventDoc is the body of a document of CollectionEvents.
type eventDoc struct {
	Event   string          `json:"event"`
	Match   []string        `json:"match"`
	At      int64           `json:"at"` // Unix milliseconds
	Payload json.RawMessage `json:"payload"`
}

// awaitedDoc is the body of a document of CollectionAwaited.
type awaitedDoc struct {
	Event  string   `json:"event"`
	Fields []string `json:"fields"` // sorted; "" for awaits that look at none
}

// matchOf returns what awaits and events are found by. Names of events hold no control characters.
func matchOf(event, field, value string) string {
	if field == "" {
		return event
	}
	return event + "\n" + field + "=" + value
}

func awaitedID(event string) string { return uuid.NewSHA1(eventSpace, []byte("name|"+event)).String() }

func awaitID(run string, seq uint64) string { return run + "/" + strconv.FormatUint(seq, 10) }

// addAwaits adds to a commit who begins to wait and who does not wait any more.
func addAwaits(batch *adapter.Batch, run string, changes []flow.AwaitChange) error {
	for i, a := range changes {
		doc := adapter.Doc{Collection: CollectionAwaits, ID: awaitID(run, a.Seq), Version: adapter.AnyVersion}
		closed := a.Closed || slices.ContainsFunc(changes[i+1:], func(b flow.AwaitChange) bool { return b.Seq == a.Seq && b.Closed })
		switch {
		case !closed:
			body, err := json.Marshal(awaitDoc{a.Wait, matchOf(a.Wait.Event, a.Wait.Field, a.Wait.Value)})
			if err != nil {
				return fmt.Errorf("encode await: %w: %w", adapter.ErrInvalid, err)
			}
			doc.Body = body
			batch.Puts = append(batch.Puts, doc)
		case a.Closed:
			batch.Deletes = append(batch.Deletes, doc)
		}
	}
	return nil
}

// declareAwaits notes in the store which fields of which events the steps of a flow wait for.
func (e *Engine) declareAwaits(ctx context.Context, d *flow.Definition) error {
	var err error
	d.AwaitedEvents(func(event, field string) {
		if err == nil {
			err = e.declareAwait(ctx, event, field)
		}
	})
	return err
}

func (e *Engine) declareAwait(ctx context.Context, event, field string) error {
	id := awaitedID(event)
	for {
		doc, err := e.awaitedFields(ctx, event)
		if err != nil {
			return err
		}
		i, found := slices.BinarySearch(doc.Fields, field)
		if found {
			return nil
		}
		doc.Fields = slices.Insert(doc.Fields, i, field)
		body, err := json.Marshal(doc.awaitedDoc)
		if err != nil {
			return fmt.Errorf("encode awaited event %q: %w", event, err)
		}
		_, err = e.Store.Commit(ctx, adapter.Batch{Partition: id, Puts: []adapter.Doc{
			{Collection: CollectionAwaited, ID: id, Version: doc.version, Body: body},
		}})
		if err == nil || !errors.Is(err, adapter.ErrConflict) {
			return err
		}
	}
}

type awaited struct {
	awaitedDoc
	version adapter.Version
}

func (e *Engine) awaitedFields(ctx context.Context, event string) (awaited, error) {
	a := awaited{awaitedDoc: awaitedDoc{Event: event}}
	docs, err := e.Store.Get(ctx, CollectionAwaited, awaitedID(event))
	if err != nil || len(docs) == 0 {
		return a, err
	}
	a.version = docs[0].Version
	if err := json.Unmarshal(docs[0].Body, &a.awaitedDoc); err != nil {
		return a, fmt.Errorf("decode awaited event %q: %w", event, err)
	}
	return a, nil
}

// SendEvent brings an event to the steps that await it, of any run, and keeps it for those that will and look back. With a key
// a second event of the same name and key does nothing. It returns how many steps it woke.
func (e *Engine) SendEvent(ctx context.Context, event, key string, payload json.RawMessage) (int, error) {
	known, err := e.awaitedFields(ctx, event)
	if err != nil {
		return 0, fmt.Errorf("send event %q: %w", event, err)
	}
	if len(known.Fields) == 0 {
		return 0, nil // no flow awaits it
	}
	doc := eventDoc{Event: event, At: e.now().UnixMilli(), Payload: payload}
	for _, field := range known.Fields {
		if field == "" {
			doc.Match = append(doc.Match, event)
		} else if value, ok := flow.FieldText(payload, field); ok {
			doc.Match = append(doc.Match, matchOf(event, field, value))
		}
	}
	id := uuid.NewSHA1(eventSpace, []byte("key|"+event+"|"+key)).String()
	if key == "" {
		v7, err := uuid.NewV7()
		if err != nil {
			return 0, fmt.Errorf("send event %q: make id: %w", event, err)
		}
		id = v7.String()
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return 0, fmt.Errorf("send event %q: %w: %w", event, adapter.ErrInvalid, err)
	}
	_, err = e.Store.Commit(ctx, adapter.Batch{Partition: id, Puts: []adapter.Doc{{Collection: CollectionEvents, ID: id,
		Version: adapter.Absent, Body: body, ExpireAt: e.now().Add(flow.MaxLookBack)}}})
	if err != nil && (key == "" || !errors.Is(err, adapter.ErrConflict)) {
		return 0, fmt.Errorf("send event %q: %w", event, err)
	}
	woken := 0
	for _, match := range doc.Match {
		n, err := e.wakeAwaits(ctx, match, payload)
		woken += n
		if err != nil {
			return woken, fmt.Errorf("send event %q: %w", event, err)
		}
	}
	return woken, nil
}

// wakeAwaits resolves the awaits that match.
func (e *Engine) wakeAwaits(ctx context.Context, match string, payload json.RawMessage) (woken int, err error) {
	q := adapter.Query{Where: map[string]any{"match": match}, Order: "seq", Limit: 500}
	for {
		page, err := e.Store.List(ctx, CollectionAwaits, q)
		if err != nil {
			return woken, err
		}
		for _, d := range page.Items {
			var a awaitDoc
			if err := json.Unmarshal(d.Body, &a); err != nil {
				return woken, fmt.Errorf("decode await %s: %w", d.ID, err)
			}
			verdict, err := e.submit(ctx, a.Token.Run, flow.Arrived{Token: a.Token, Await: a.Seq, Payload: payload})
			if err != nil {
				return woken, err
			}
			if verdict == flow.Accepted {
				woken++
			}
		}
		if page.Next == "" {
			return woken, nil
		}
		q.Cursor = page.Next
	}
}

// lookBack looks for an event that came before the await of it began, and resolves the await with the latest.
func (e *Engine) lookBack(ctx context.Context, a flow.OpenAwait) error {
	page, err := e.Store.List(ctx, CollectionEvents, adapter.Query{
		Where: map[string]any{"match": matchOf(a.Event, a.Field, a.Value)}, Order: "at",
		From: e.now().Add(-a.LookBack).UnixMilli(), Desc: true, Limit: 1,
	})
	if err != nil || len(page.Items) == 0 {
		return err
	}
	var doc eventDoc
	if err := json.Unmarshal(page.Items[0].Body, &doc); err != nil {
		return fmt.Errorf("decode event %s: %w", page.Items[0].ID, err)
	}
	_, err = e.submit(ctx, a.Token.Run, flow.Arrived{Token: a.Token, Await: a.Seq, Payload: doc.Payload})
	return err
}

// lookBackAgain does what [Engine.lookBack] does for all awaits of a run: whoever began them may have died before it looked.
func (e *Engine) lookBackAgain(ctx context.Context, run string, s *flow.State, def *flow.Definition) error {
	for _, a := range s.OpenAwaits(def, run) {
		if err := e.lookBack(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// newSignalToken returns a function that makes tokens for a run: its ID and 256 random bits. Only a hash is kept.
func newSignalToken(run string) func() (token, hash string) {
	return func() (string, string) {
		var secret [32]byte
		rand.Read(secret[:]) // never fails
		token := run + "." + base64.RawURLEncoding.EncodeToString(secret[:])
		return token, hashToken(token)
	}
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// ErrBadToken says that a signal's token is unknown, was used, or has expired.
var ErrBadToken = errors.New("signal token is unknown, used, or expired")

// Signal brings a signal to the step that its token is for.
func (e *Engine) Signal(ctx context.Context, token string, payload json.RawMessage) error {
	run, _, ok := strings.Cut(token, ".")
	if _, err := uuid.Parse(run); !ok || err != nil {
		return ErrBadToken
	}
	s, err := e.State(ctx, run)
	if errors.Is(err, adapter.ErrNotFound) {
		return ErrBadToken
	}
	if err != nil {
		return err
	}
	hash := hashToken(token)
	i := slices.IndexFunc(s.Tokens, func(t flow.SignalToken) bool { return t.Hash == hash })
	if i < 0 {
		return ErrBadToken
	}
	verdict, err := e.submit(ctx, run, flow.Signal{Hash: hash, Scope: s.Tokens[i].Scope, Payload: payload})
	if err != nil {
		return fmt.Errorf("signal run %s: %w", run, err)
	}
	if verdict == flow.Stale {
		return ErrBadToken
	}
	return nil
}

// memo keeps what a part of a step returned, outside of the outcome: it must survive the failure of the attempt.
func (e *Engine) memo(ctx context.Context, run, key, name string, fn func(context.Context) (json.RawMessage, error)) (json.RawMessage, error) {
	id := run + "/" + uuid.NewSHA1(eventSpace, []byte("memo|"+key+"|"+name)).String()
	kept, err := e.keptMemo(ctx, id)
	if err != nil || kept != nil {
		return kept, err
	}
	v, err := fn(ctx)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(dataBody{v})
	if err != nil {
		return nil, fmt.Errorf("keep %q: %w", name, err)
	}
	_, err = e.Store.Commit(ctx, adapter.Batch{Partition: run, Puts: []adapter.Doc{
		{Collection: CollectionMemos, ID: id, Version: adapter.Absent, Body: body},
	}})
	if err != nil && !errors.Is(err, adapter.ErrConflict) {
		return nil, fmt.Errorf("keep %q: %w", name, err)
	}
	return v, nil
}

func (e *Engine) keptMemo(ctx context.Context, id string) (json.RawMessage, error) {
	docs, err := e.Store.Get(ctx, CollectionMemos, id)
	if err != nil || len(docs) == 0 {
		return nil, err
	}
	var body dataBody
	if err := json.Unmarshal(docs[0].Body, &body); err != nil {
		return nil, fmt.Errorf("decode memo %s: %w", id, err)
	}
	return body.Value, nil
}
