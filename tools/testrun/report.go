package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// event is one line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output, ImportPath string
}

// report prints a stream of events the way go test does, and counts.
type report struct {
	w                                   io.Writer
	passed, failed, skipped, benchmarks int
	packages                            map[string]*pkg
	err                                 error // the first one of writing to w
}

// pkg is what is known of a package while its tests run.
type pkg struct {
	output map[string][]string // by test; "" is the package's own
	order  []string            // tests whose end has not been seen, as they began
	failed bool                // one of its tests has failed
}

func newReport(w io.Writer) *report {
	return &report{w: w, packages: map[string]*pkg{}}
}

// read consumes a stream of events up to its end. It returns an error if the stream is no JSON, or if w has refused output.
func (r *report) read(stream io.Reader) error {
	dec := json.NewDecoder(stream)
	for {
		var e event
		if err := dec.Decode(&e); err != nil {
			if errors.Is(err, io.EOF) {
				return r.err
			}
			return err
		}
		r.add(e)
	}
}

func (r *report) add(e event) {
	if e.Action == "build-output" {
		r.show(e.Output)
		return
	}
	if e.Package == "" {
		return
	}
	p := r.packages[e.Package]
	if p == nil {
		p = &pkg{output: map[string][]string{}}
		r.packages[e.Package] = p
	}
	switch {
	case e.Action == "output":
		if _, known := p.output[e.Test]; !known {
			p.order = append(p.order, e.Test)
		}
		p.output[e.Test] = append(p.output[e.Test], e.Output)
		if strings.HasPrefix(e.Test, "Benchmark") && strings.Contains(e.Output, " ns/op") {
			r.benchmarks++
		}
	case e.Test != "":
		r.endTest(p, e)
	case e.Action == "pass" || e.Action == "skip":
		r.printLast(p)
		p.output, p.order = map[string][]string{}, nil
	case e.Action == "fail":
		r.endFailed(p)
	}
}

func (r *report) endTest(p *pkg, e event) {
	switch e.Action {
	case "pass":
		r.passed++
		delete(p.output, e.Test)
	case "skip":
		r.skipped++
		r.print(p, e.Test)
	case "fail":
		r.failed++
		p.failed = true
		r.print(p, e.Test)
	}
}

// endFailed prints what tests without an end have printed (a panic's trace is among it), then the package's own output.
func (r *report) endFailed(p *pkg) {
	if !p.failed {
		r.failed++
	}
	for _, test := range p.order {
		if test != "" {
			r.print(p, test)
		}
	}
	r.print(p, "")
	p.output, p.order, p.failed = map[string][]string{}, nil, false
}

func (r *report) print(p *pkg, test string) {
	for _, line := range p.output[test] {
		r.show(line)
	}
	delete(p.output, test)
}

// printLast prints the line with which go test ends a package: "ok ...", or that it has no tests.
func (r *report) printLast(p *pkg) {
	if own := p.output[""]; len(own) > 0 {
		r.show(own[len(own)-1])
	}
}

func (r *report) show(s string) {
	if _, err := io.WriteString(r.w, s); err != nil && r.err == nil {
		r.err = err
	}
}

// summary returns the counts in words.
func (r *report) summary() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped, %d benchmarks ran, %d packages",
		r.passed, r.failed, r.skipped, r.benchmarks, len(r.packages))
}
