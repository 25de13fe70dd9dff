package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// suite is a set of measures on the same adapters.
type suite struct {
	name, about string
	measures    func(scale) []measure
	// open starts what the suite needs, and returns how to stop it. nil: it needs nothing.
	open func(context.Context) (stop func(), err error)
}

// suites are all suites, in the order of the help text.
var suites = []*suite{&memorySuite, &flowsSuite, &fileSuite, &redisSuite}

func suiteNamed(name string) (*suite, error) {
	for _, s := range suites {
		if s.name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("unknown suite %q: there is %s", name, suiteNames())
}

func suiteNames() string {
	names := make([]string, len(suites))
	for i, s := range suites {
		names[i] = s.name
	}
	return strings.Join(names, ", ")
}

// only returns the suite with one of its measures, or as it is if none is named.
func (s *suite) only(name string) (*suite, error) {
	if name == "" {
		return s, nil
	}
	var names []string
	for _, m := range s.measures(quickScale) {
		if names = append(names, m.name); m.name == name {
			one := *s
			one.measures = func(sc scale) []measure {
				return slices.DeleteFunc(s.measures(sc), func(m measure) bool { return m.name != name })
			}
			return &one, nil
		}
	}
	return nil, fmt.Errorf("suite %q has no measure %q: there is %s", s.name, name, strings.Join(names, ", "))
}

// scale is how much is done.
type scale struct {
	rounds   int
	jobs     int // in a round
	runs     int // of flows, in a round
	slowRuns int // of flows in a round, for peers that take milliseconds for each
	samples  int // of a latency, in a round
	fileJobs int // on disk
	slowJobs int // of peers on disk
	fileRuns int // of flows on disk

	// On a server everything takes longer.
	redisJobs, redisRuns, redisSamples int
}

var (
	fullScale = scale{rounds: 7, jobs: 1_000_000, runs: 30_000, slowRuns: 500, samples: 2000,
		redisJobs: 50_000, redisRuns: 3000, redisSamples: 500, fileJobs: 50_000, slowJobs: 5000, fileRuns: 3000}
	quickScale = scale{rounds: 3, jobs: 300_000, runs: 10_000, slowRuns: 150, samples: 500,
		redisJobs: 10_000, redisRuns: 500, redisSamples: 100, fileJobs: 20_000, slowJobs: 2000, fileRuns: 1000}
)

// measure is a piece of work that several contestants do.
type measure struct {
	name    string
	metrics []metric
	ours    contestant
	peers   []contestant
}

// metric is a number that comes out of a measure.
type metric struct {
	name, unit string
	lower      bool    // less is better
	aim        float64 // what we want to reach on two cores; 0: nothing in particular
}

// contestant does the work of a measure: once from scratch, with a warm-up that does not count. It returns a value for each
// metric.
type contestant struct {
	name string
	run  func(context.Context) ([]float64, error)
}

const us = "nvent"
