package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
)

// measureAll runs the suites and prints what came out, each suite when it is done.
func measureAll(ctx context.Context, o options, stdout, progress io.Writer) (err error) {
	sc := fullScale
	if o.quick {
		sc = quickScale
	}
	if o.profile != "" {
		stop, err := startProfile(o.profile)
		if err != nil {
			return err
		}
		defer func() {
			if failed := stop(); err == nil {
				err = failed
			}
		}()
	}
	for _, s := range o.suites {
		results, err := s.measure(ctx, sc, progress)
		if err != nil {
			return err
		}
		if o.json {
			err = writeJSON(stdout, results)
		} else {
			err = writeTable(stdout, s, sc, results)
		}
		if err != nil {
			return fmt.Errorf("write results: %w", err)
		}
	}
	return nil
}

// measure runs a suite with what it needs.
func (s *suite) measure(ctx context.Context, sc scale, progress io.Writer) ([]result, error) {
	if s.open != nil {
		stop, err := s.open(ctx)
		if err != nil {
			return nil, fmt.Errorf("start what suite %s needs: %w", s.name, err)
		}
		defer stop()
	}
	return s.run(ctx, sc, progress)
}

func startProfile(path string) (stop func() error, err error) {
	f, err := os.Create(path) //nolint:gosec // the user names the file
	if err != nil {
		return nil, fmt.Errorf("write profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		_ = f.Close() // nothing is in it
		return nil, fmt.Errorf("write profile: %w", err)
	}
	return func() error {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			return fmt.Errorf("write profile: %w", err)
		}
		return nil
	}, nil
}

// run lets all contestants of all measures take turns, so that what disturbs the machine for a while disturbs all of them.
func (s *suite) run(ctx context.Context, sc scale, progress io.Writer) ([]result, error) {
	measures := s.measures(sc)
	values := make([]map[string][][]float64, len(measures)) // of a contestant, by round
	for i := range values {
		values[i] = map[string][][]float64{}
	}
	for round := range sc.rounds {
		for i, m := range measures {
			turns := append([]contestant{m.ours}, m.peers...)
			first := round % len(turns)
			for _, c := range slices.Concat(turns[first:], turns[:first]) {
				got, err := m.turn(ctx, c)
				if err != nil {
					return nil, fmt.Errorf("measure %s/%s of %s: %w", s.name, m.name, c.name, err)
				}
				values[i][c.name] = append(values[i][c.name], got)
				fmt.Fprintf(progress, "%s round %d/%d  %-8s %-14s%s\n", s.name, round+1, sc.rounds, m.name, c.name, m.summary(got))
			}
		}
	}
	var results []result
	for i, m := range measures {
		for k, mt := range m.metrics {
			r := result{name: s.name + "/" + m.name + "." + mt.name, metric: mt, value: median(values[i][m.ours.name], k),
				peers: map[string]float64{}}
			for _, p := range m.peers {
				r.peers[p.name] = median(values[i][p.name], k)
			}
			results = append(results, r)
		}
	}
	return results, nil
}

// turn runs a contestant once. A label tells in a profile whose work it was.
func (m *measure) turn(ctx context.Context, c contestant) (values []float64, err error) {
	runtime.GC() // what the one before left is not this one's burden
	pprof.Do(ctx, pprof.Labels("turn", m.name+"/"+c.name), func(ctx context.Context) {
		values, err = c.run(ctx)
	})
	if err == nil && len(values) != len(m.metrics) {
		err = fmt.Errorf("%d values for %d metrics", len(values), len(m.metrics))
	}
	return values, err
}

func (m *measure) summary(values []float64) string {
	var b strings.Builder
	for i, v := range values {
		fmt.Fprintf(&b, "  %s %s %s", m.metrics[i].name, number(v), m.metrics[i].unit)
	}
	return b.String()
}

// median returns the median of metric k.
func median(rounds [][]float64, k int) float64 {
	list := make([]float64, len(rounds))
	for i, values := range rounds {
		list[i] = values[k]
	}
	slices.Sort(list)
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}
