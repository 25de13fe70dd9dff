package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// result is a metric with its medians.
type result struct {
	name string
	metric
	value float64
	peers map[string]float64
}

// best returns the best peer; ok is false without one.
func (r *result) best() (name string, value float64, ok bool) {
	for _, p := range slices.Sorted(maps.Keys(r.peers)) {
		v := r.peers[p]
		if !ok || r.lower && v < value || !r.lower && v > value {
			name, value, ok = p, v, true
		}
	}
	return name, value, ok
}

// ratio returns how many times better we are than the best peer: above 1 is better whatever the metric is. ok is false
// without a peer, and where a zero leaves nothing to compare.
func (r *result) ratio() (ratio float64, ok bool) {
	_, peer, ok := r.best()
	if !ok {
		return 0, false
	}
	if ratio = r.value / peer; r.lower {
		ratio = peer / r.value
	}
	return ratio, !math.IsNaN(ratio) && !math.IsInf(ratio, 0)
}

// verdict compares with the aim.
func (r *result) verdict() string {
	switch {
	case r.aim == 0:
		return ""
	case r.lower && r.value < r.aim:
		return "< " + number(r.aim) + "  met"
	case r.lower:
		return "< " + number(r.aim) + "  MISSED"
	case r.value >= r.aim:
		return "≥ " + number(r.aim) + "  met"
	}
	return "≥ " + number(r.aim) + "  MISSED"
}

func writeTable(w io.Writer, s *suite, sc scale, results []result) error {
	fmt.Fprintf(w, "%s: medians of %d rounds, %d CPUs, %s %s/%s\n\n",
		s.name, sc.rounds, runtime.GOMAXPROCS(0), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "measure\tunit\tnvent\tpeers\tratio\taim")
	for i := range results {
		r := &results[i]
		var peers []string
		for _, p := range slices.Sorted(maps.Keys(r.peers)) {
			peers = append(peers, p+" "+number(r.peers[p]))
		}
		ratio := ""
		if x, ok := r.ratio(); ok {
			ratio = number(x)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.name, r.unit, number(r.value), strings.Join(peers, ", "), ratio, r.verdict())
	}
	return t.Flush()
}

// writeJSON writes one object a line.
func writeJSON(w io.Writer, results []result) error {
	enc := json.NewEncoder(w)
	for i := range results {
		r := &results[i]
		line := struct {
			Name  string             `json:"name"`
			Unit  string             `json:"unit"`
			Value float64            `json:"value"`
			Peers map[string]float64 `json:"peers"`
			Ratio *float64           `json:"ratio"`
		}{r.name, r.unit, rounded(r.value), map[string]float64{}, nil}
		for p, v := range r.peers {
			line.Peers[p] = rounded(v)
		}
		if x, ok := r.ratio(); ok {
			x = rounded(x)
			line.Ratio = &x
		}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// rounded leaves out digits that are noise: it keeps six, and all before the point.
func rounded(v float64) float64 {
	if math.Abs(v) >= 1e5 {
		return math.Round(v)
	}
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64) // what was formatted always parses
	return v
}

// number formats for people: three digits or more, thousands with commas.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	s := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}
