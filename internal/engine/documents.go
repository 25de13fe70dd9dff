package engine

import (
	"encoding/json"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
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
	Held           bool              `json:"held,omitempty"`   // it waits for the limits of its flow to let it begin
	Parent         string            `json:"parent,omitempty"` // the run whose step waits for this one
	Version        adapter.Version   `json:"-"`
}

func (s *Summary) encode() (json.RawMessage, error) { return json.Marshal(s) }

// DecodeSummary reads a document of CollectionRuns.
func DecodeSummary(d adapter.Doc) (*Summary, error) {
	s := &Summary{Version: d.Version}
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
