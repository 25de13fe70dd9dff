package engine

import (
	"encoding/json"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/decode"
	"github.com/nvent-go/nvent/internal/encode"
)

// The collections of the engine.
const (
	CollectionState       = "flow-state"       // {run}: flow.State
	CollectionRuns        = "flow-runs"        // {run}: Summary
	CollectionData        = "flow-data"        // {run}/{key}: state documents of handlers
	CollectionDefinitions = "flow-definitions" // {hash}: flow.Wiring
	CollectionFlows       = "flows"            // {name}: flow.Wiring and its hash: the current one
	CollectionChunks      = "flow-chunks"      // {run}/g{group}/{n}: flow.Chunk
	CollectionItems       = "flow-items"       // {run}/{stage}/{n}: flow.Part
	CollectionMemos       = "flow-memos"       // {run}/{id}: what flow.Do keeps
	CollectionAwaits      = "flow-awaits"      // {run}/{seq}: awaitDoc: who waits for an event from outside
	CollectionEvents      = "flow-events"      // {id}: eventDoc: events from outside, for awaits that look back
	CollectionPauses      = "flow-pauses"      // {flow}: pauseDoc
	CollectionAwaited     = "flow-awaited"     // {id of the event's name}: awaitedDoc: the fields that awaits of it look at
)

var collections = []adapter.Collection{
	{Name: CollectionState, Indexes: []adapter.Index{{Order: "wakeAt"}}},
	{Name: CollectionRuns, Indexes: []adapter.Index{
		{Order: "startedAt"},
		{Equal: []string{"flow"}, Order: "startedAt"},
		{Equal: []string{"status"}, Order: "startedAt"},
		{Equal: []string{"flow", "status"}, Order: "startedAt"},
		{Equal: []string{"label"}, Order: "startedAt"},
	}},
	{Name: CollectionData},
	{Name: CollectionDefinitions},
	{Name: CollectionFlows},
	{Name: CollectionChunks},
	{Name: CollectionItems},
	{Name: CollectionMemos},
	{Name: CollectionAwaits, Indexes: []adapter.Index{{Equal: []string{"match"}, Order: "seq"}}},
	{Name: CollectionEvents, Indexes: []adapter.Index{{Equal: []string{"match"}, Order: "at"}}},
	{Name: CollectionAwaited},
	{Name: CollectionPauses},
}

// Summary is the small, indexed document about a run: the specification's FlowMetadata. It is written when a run starts and
// when its status changes; what is between is in the run's state.
type Summary struct {
	RunID          string            `json:"runId"`
	Flow           string            `json:"flow"`
	Definition     string            `json:"definition"`
	Status         flow.Status       `json:"status"`
	Epoch          int               `json:"epoch"`
	StartedAt      int64             `json:"startedAt"` // Unix milliseconds, store clock
	CompletedAt    int64             `json:"completedAt,omitempty"`
	StepCount      int               `json:"stepCount"`
	CompletedSteps int               `json:"completedSteps"`
	Key            string            `json:"key,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Label          []string          `json:"label,omitempty"` // Labels as "name=value", for the index
	Error          string            `json:"error,omitempty"`
	Paused         bool              `json:"paused,omitempty"`
	Parent         string            `json:"parent,omitempty"` // the run whose step waits for this one
	Version        adapter.Version   `json:"-"`
}

// encode returns the body of the document: what json.Marshal would.
func (s *Summary) encode() json.RawMessage {
	w := encode.NewWriter()
	w.Begin('{')
	w.String("runId", s.RunID)
	w.String("flow", s.Flow)
	w.String("definition", s.Definition)
	w.String("status", string(s.Status))
	w.Int("epoch", int64(s.Epoch))
	w.Int("startedAt", s.StartedAt)
	w.OmitInt("completedAt", s.CompletedAt)
	w.Int("stepCount", int64(s.StepCount))
	w.Int("completedSteps", int64(s.CompletedSteps))
	w.OmitString("key", s.Key)
	w.OmitStringMap("labels", s.Labels)
	w.OmitStrings("label", s.Label)
	w.OmitString("error", s.Error)
	w.OmitBool("paused", s.Paused)
	w.OmitString("parent", s.Parent)
	w.End('}')
	return w.Finish()
}

// read reads what encode has written, or reports false: then encoding/json knows better.
func (s *Summary) read(body []byte) bool {
	r := decode.NewReader(body)
	for key := range r.Object {
		switch string(key) {
		case "runId":
			s.RunID = r.String()
		case "flow":
			s.Flow = r.String()
		case "definition":
			s.Definition = r.String()
		case "status":
			s.Status = flow.Status(r.String())
		case "epoch":
			s.Epoch = r.Int()
		case "startedAt":
			s.StartedAt = r.Int64()
		case "completedAt":
			s.CompletedAt = r.Int64()
		case "stepCount":
			s.StepCount = r.Int()
		case "completedSteps":
			s.CompletedSteps = r.Int()
		case "key":
			s.Key = r.String()
		case "labels":
			s.Labels = r.StringMap()
		case "label":
			s.Label = r.Strings()
		case "error":
			s.Error = r.String()
		case "paused":
			s.Paused = r.Bool()
		case "parent":
			s.Parent = r.String()
		default:
			r.Unknown()
		}
	}
	return r.Done()
}

// DecodeSummary reads a document of CollectionRuns.
func DecodeSummary(d adapter.Doc) (*Summary, error) {
	s := &Summary{Version: d.Version}
	if s.read(d.Body) {
		return s, nil
	}
	*s = Summary{Version: d.Version}
	if err := json.Unmarshal(d.Body, s); err != nil {
		return nil, fmt.Errorf("decode %s/%s: %w", d.Collection, d.ID, err)
	}
	return s, nil
}

// LabelIndex returns labels in the form in which the index of runs holds them.
func LabelIndex(labels map[string]string) []string {
	var list []string
	for k, v := range labels {
		list = append(list, k+"="+v)
	}
	return list
}

// dataID returns the ID of a state document.
func dataID(run, key string) string { return run + "/" + key }

// dataBody is the body of a state document: any JSON value, wrapped, because documents are objects.
type dataBody struct {
	Value json.RawMessage `json:"value"`
}
