// Command testrun runs the tests of every module of the workspace, then each benchmark once, and counts.
//
// Its arguments go to go test as they are. It shows what go test shows (the closing line of each package, and everything
// that a test which did not pass has printed), names each skipped test, and ends with one line:
//
//	312 passed, 0 failed, 0 skipped, 9 benchmarks ran, 14 packages in 4 modules, 41s
//
// Subtests count one each. A package that fails without a failed test (it does not build, it panics, a goroutine leaks)
// counts as one failure. The exit code is 0 if and only if nothing has failed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := newReport(os.Stdout)
	start := time.Now()
	modules, err := runAll(ctx, r, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
	}
	fmt.Printf("%s in %d modules, %s\n", r.summary(), modules, time.Since(start).Round(time.Second))
	if err != nil || r.failed > 0 {
		os.Exit(1)
	}
}

// runAll runs the tests of every module, then the benchmarks, and returns how many modules it went through. It stops at
// what keeps it from counting, not at a failed test.
func runAll(ctx context.Context, r *report, args []string) (int, error) {
	out, err := goOutput(ctx, ".", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return 0, err
	}
	modules := strings.Fields(out)
	for _, dir := range modules {
		if err := goTest(ctx, r, dir, append(args, "./...")); err != nil {
			return 0, err
		}
	}
	for _, dir := range modules {
		pkgs, err := withBenchmarks(ctx, dir)
		if err != nil {
			return 0, err
		}
		if len(pkgs) == 0 {
			continue
		}
		once := append([]string{"-run", "^$", "-bench", ".", "-benchtime", "1x"}, args...)
		if err := goTest(ctx, r, dir, append(once, pkgs...)); err != nil {
			return 0, err
		}
	}
	return len(modules), nil
}

// goTest runs go test -json in dir and feeds r. Failed tests are r's matter; the error says that go test itself could not
// do its work.
func goTest(ctx context.Context, r *report, dir string, args []string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("run go test in %s: %w", dir, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run go test in %s: %w", dir, err)
	}
	before := r.failed
	readErr := r.read(out)
	err = cmd.Wait()
	if readErr != nil {
		return fmt.Errorf("read output of go test in %s: %w", dir, readErr)
	}
	if err != nil && r.failed == before {
		return fmt.Errorf("run go test in %s: %w", dir, err)
	}
	return nil
}

var benchmarkFunc = regexp.MustCompile(`(?m)^func Benchmark`)

// withBenchmarks returns the packages of a module that have benchmarks. With -bench go test handles one package at a
// time, so that linking those that have none would be most of the work.
func withBenchmarks(ctx context.Context, dir string) ([]string, error) {
	const perFile = `{{range .TestGoFiles}}{{$.Dir}}|{{.}}|{{$.ImportPath}}
{{end}}{{range .XTestGoFiles}}{{$.Dir}}|{{.}}|{{$.ImportPath}}
{{end}}`
	out, err := goOutput(ctx, dir, "list", "-f", perFile, "./...")
	if err != nil {
		return nil, err
	}
	var pkgs []string
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 3 || seen[f[2]] {
			continue
		}
		src, err := os.ReadFile(filepath.Join(f[0], f[1]))
		if err != nil {
			return nil, fmt.Errorf("look for benchmarks: %w", err)
		}
		if benchmarkFunc.Match(src) {
			seen[f[2]] = true
			pkgs = append(pkgs, f[2])
		}
	}
	return pkgs, nil
}

func goOutput(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("run go %s in %s: %w", args[0], dir, err)
	}
	return string(out), nil
}
