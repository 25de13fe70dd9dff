package main

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"
)

var (
	perSecond = metric{name: "throughput", unit: "jobs/s", aim: 500_000}
	latency   = metric{name: "p50", unit: "µs", lower: true, aim: 20}
)

func TestRatioAboveOneMeansBetter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		metric metric
		value  float64
		peers  map[string]float64
		best   string
		want   float64 // NaN: none
	}{
		{"more throughput", perSecond, 300, map[string]float64{"a": 100, "b": 150}, "b", 2},
		{"less throughput", perSecond, 75, map[string]float64{"a": 100, "b": 150}, "b", 0.5},
		{"less latency", latency, 5, map[string]float64{"a": 10, "b": 15}, "a", 2},
		{"more latency", latency, 20, map[string]float64{"a": 10, "b": 15}, "a", 0.5},
		{"no peer", latency, 20, nil, "", math.NaN()},
		{"nothing to compare with", perSecond, 20, map[string]float64{"a": 0}, "a", math.NaN()},
		{"nothing to compare", latency, 0, map[string]float64{"a": 0}, "a", math.NaN()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := result{metric: tt.metric, value: tt.value, peers: tt.peers}
			if best, _, _ := r.best(); best != tt.best {
				t.Errorf("best peer %q, want %q", best, tt.best)
			}
			got, ok := r.ratio()
			if ok == math.IsNaN(tt.want) || (ok && got != tt.want) {
				t.Errorf("ratio %v, %v; want %v", got, ok, tt.want)
			}
		})
	}
}

func someResults() []result {
	return []result{
		{name: "s/jobs.throughput", metric: perSecond, value: 1234567.891, peers: map[string]float64{}},
		{name: "s/flow.throughput", metric: metric{name: "throughput", unit: "steps/s", aim: 100_000}, value: 22962.4,
			peers: map[string]float64{"other": 994.123456789, "one": 7}},
		{name: "s/publish.p50", metric: latency, value: 5.5, peers: map[string]float64{"one": 11}},
		{name: "s/publish.p99", metric: metric{name: "p99", unit: "µs", lower: true}, value: 45.5, peers: map[string]float64{"one": 9.1}},
	}
}

func TestJSONIsOneObjectALine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := writeJSON(&out, someResults()); err != nil {
		t.Fatal(err)
	}
	want := `{"name":"s/jobs.throughput","unit":"jobs/s","value":1234568,"peers":{},"ratio":null}
{"name":"s/flow.throughput","unit":"steps/s","value":22962.4,"peers":{"one":7,"other":994.123},"ratio":23.0981}
{"name":"s/publish.p50","unit":"µs","value":5.5,"peers":{"one":11},"ratio":2}
{"name":"s/publish.p99","unit":"µs","value":45.5,"peers":{"one":9.1},"ratio":0.2}
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := writeTable(&out, &suite{name: "s"}, scale{rounds: 3}, someResults()); err != nil {
		t.Fatal(err)
	}
	head, table, _ := strings.Cut(out.String(), "\n\n")
	if !strings.HasPrefix(head, "s: medians of 3 rounds, ") {
		t.Errorf("heading %q", head)
	}
	want := `measure            unit     nvent      peers             ratio  aim
s/jobs.throughput  jobs/s   1,234,568                           ≥ 500,000  met
s/flow.throughput  steps/s  22,962     one 7.00, other 994  23.1   ≥ 100,000  MISSED
s/publish.p50      µs       5.50       one 11.0             2.00   < 20.0  met
s/publish.p99      µs       45.5       one 9.10             0.20
`
	if squeezed(table) != squeezed(want) {
		t.Errorf("got\n%s\nwant\n%s", table, want)
	}
}

// squeezed leaves out the padding of columns.
func squeezed(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	return strings.Join(lines, "\n")
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for want, rounds := range map[float64][][]float64{
		3:   {{0, 9}, {0, 3}, {0, 1}},
		2.5: {{0, 4}, {0, 1}, {0, 2}, {0, 3}},
		7:   {{0, 7}},
	} {
		if got := median(rounds, 1); got != want {
			t.Errorf("median of %v is %v, want %v", rounds, got, want)
		}
	}
}

func TestContestantsTakeTurns(t *testing.T) {
	t.Parallel()
	var order []string
	takes := func(name string, values ...float64) contestant {
		return contestant{name, func(context.Context) ([]float64, error) {
			order = append(order, name)
			v := values[0]
			values = values[1:]
			return []float64{v}, nil
		}}
	}
	s := &suite{name: "s", measures: func(scale) []measure {
		return []measure{{name: "m", metrics: []metric{perSecond}, ours: takes(us, 10, 90, 20), peers: []contestant{takes("peer", 5, 4, 100)}}}
	}}
	results, err := s.run(t.Context(), scale{rounds: 3}, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, " "); got != "nvent peer peer nvent nvent peer" {
		t.Errorf("turns were %s", got)
	}
	if r := results[0]; r.name != "s/m.throughput" || r.value != 20 || r.peers["peer"] != 5 {
		t.Errorf("result %+v; want medians 20 and 5", r)
	}
}

func TestAContestantThatFailsIsNamed(t *testing.T) {
	t.Parallel()
	s := &suite{name: "s", measures: func(scale) []measure {
		fails := func(context.Context) ([]float64, error) { return nil, errors.New("on fire") }
		return []measure{{name: "m", metrics: []metric{perSecond}, ours: contestant{us, fails}}}
	}}
	_, err := s.run(t.Context(), scale{rounds: 1}, new(bytes.Buffer))
	if err == nil || err.Error() != "measure s/m of nvent: on fire" {
		t.Errorf("error %v", err)
	}
}
