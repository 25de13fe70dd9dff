package main

import (
	"runtime"
	"time"
)

// work returns the metrics of rate for things that are called so.
func work(thing string, aim float64) []metric {
	return []metric{
		{name: "throughput", unit: thing + "s/s", aim: aim},
		{name: "cpu", unit: "µs/" + thing, lower: true},
		{name: "allocs", unit: "allocs/" + thing, lower: true},
	}
}

// rate runs do, which does n things. It returns how many that were a second, and what each took: processor time, which says
// more than the rate where others use the machine too, and allocations.
func rate(n int, do func() error) ([]float64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, from := cpuTime(), time.Now()
	if err := do(); err != nil {
		return nil, err
	}
	took := time.Since(from)
	cpu = cpuTime() - cpu
	runtime.ReadMemStats(&after)
	things := float64(n)
	return []float64{things / took.Seconds(), float64(cpu.Nanoseconds()) / 1000 / things, float64(after.Mallocs-before.Mallocs) / things}, nil
}
