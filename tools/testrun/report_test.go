package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	t.Parallel()
	const pkgOK = `{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
	const pkgFail = `{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`
	tests := []struct {
		name, stream, output, summary string
	}{
		{
			name: "what a passed test printed is not shown",
			stream: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
` + pkgOK,
			output:  "ok  \tp\t0.1s\n",
			summary: "1 passed, 0 failed, 0 skipped, 0 benchmarks ran, 1 packages",
		},
		{
			name: "what a failed test printed is shown, and the test counts once",
			stream: `{"Action":"output","Package":"p","Test":"TestA","Output":"a_test.go:3: bad\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
` + pkgFail,
			output:  "a_test.go:3: bad\nFAIL\tp\t0.1s\n",
			summary: "0 passed, 1 failed, 0 skipped, 0 benchmarks ran, 1 packages",
		},
		{
			name: "a skipped test says why",
			stream: `{"Action":"output","Package":"p","Test":"TestA","Output":"a_test.go:3: not today\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
` + pkgOK,
			output:  "a_test.go:3: not today\nok  \tp\t0.1s\n",
			summary: "0 passed, 0 failed, 1 skipped, 0 benchmarks ran, 1 packages",
		},
		{
			name: "a package that panics is a failure, and shows the trace",
			stream: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: boom\n"}
` + pkgFail,
			output:  "panic: boom\nFAIL\tp\t0.1s\n",
			summary: "0 passed, 1 failed, 0 skipped, 0 benchmarks ran, 1 packages",
		},
		{
			name: "a package that does not build is a failure, and shows the compiler's words",
			stream: `{"Action":"build-output","ImportPath":"p","Output":"p.go:1: what?\n"}
{"Action":"build-fail","ImportPath":"p"}
` + pkgFail,
			output:  "p.go:1: what?\nFAIL\tp\t0.1s\n",
			summary: "0 passed, 1 failed, 0 skipped, 0 benchmarks ran, 1 packages",
		},
		{
			name:    "a package without tests is no test",
			stream:  `{"Action":"output","Package":"p","Output":"?   \tp\t[no test files]\n"}` + "\n" + `{"Action":"skip","Package":"p"}`,
			output:  "?   \tp\t[no test files]\n",
			summary: "0 passed, 0 failed, 0 skipped, 0 benchmarks ran, 1 packages",
		},
		{
			name: "a benchmark counts by its result line, which has no end event",
			stream: `{"Action":"output","Package":"p","Test":"BenchmarkA","Output":"BenchmarkA-2 \t"}
{"Action":"output","Package":"p","Test":"BenchmarkA","Output":" 1\t 274.0 ns/op\n"}
` + pkgOK,
			output:  "ok  \tp\t0.1s\n",
			summary: "0 passed, 0 failed, 0 skipped, 1 benchmarks ran, 1 packages",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			r := newReport(&out)
			if err := r.read(strings.NewReader(tt.stream)); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.output {
				t.Errorf("output:\n%q\nwant:\n%q", out.String(), tt.output)
			}
			if r.summary() != tt.summary {
				t.Errorf("summary: %q, want %q", r.summary(), tt.summary)
			}
		})
	}
}

func TestReportRefusesWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	if err := newReport(&strings.Builder{}).read(strings.NewReader("go: no such module\n")); err == nil {
		t.Error("read returned nil for a stream that is no JSON")
	}
}
