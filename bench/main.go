// Command bench compares nvent with its peers on the same work, side by side in the same run.
//
// It ends with 0 when everything was measured, 1 when something failed, 2 when it was called wrongly. Results go to standard
// output, progress to standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

type options struct {
	suites  []*suite
	json    bool
	quick   bool
	only    string
	profile string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage())
		return exitOK
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return exitUsage
	}
	if err := measureAll(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return exitFailed
	}
	return exitOK
}

// parse takes flags before and after the names of suites.
func parse(args []string) (o options, err error) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.BoolVar(&o.json, "json", false, "")
	fs.BoolVar(&o.quick, "quick", false, "")
	fs.StringVar(&o.only, "only", "", "")
	fs.StringVar(&o.profile, "profile", "", "")
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return o, err
			}
			return o, fmt.Errorf("%w; --help lists the flags", err)
		}
		if args = fs.Args(); len(args) == 0 {
			break
		}
		s, err := suiteNamed(args[0])
		if err != nil {
			return o, err
		}
		o.suites, args = append(o.suites, s), args[1:]
	}
	if len(o.suites) == 0 {
		return o, fmt.Errorf("no suite is named: name one or more of %s, such as: go run ./bench memory", suiteNames())
	}
	for i, s := range o.suites {
		if o.suites[i], err = s.only(o.only); err != nil {
			return o, err
		}
	}
	return o, nil
}

func usage() string {
	var b strings.Builder
	b.WriteString(`Usage: go run ./bench [flags] suite...

Compares nvent with its peers on the same work. They take turns over several rounds; the medians are shown. A ratio is
against the best peer, and above 1 always means that nvent is better.

Suites:
`)
	for _, s := range suites {
		fmt.Fprintf(&b, "  %-12s %s\n", s.name, s.about)
	}
	b.WriteString(`
Flags:
  --json           print one JSON object a line instead of a table:
                   {"name","unit","value","peers":{"name":value},"ratio"}; without a peer the ratio is null
  --quick          fewer rounds, less work: under 30 s, less exact
  --only MEASURE   one measure of each suite, such as jobs or flow3
  --profile FILE   write a CPU profile of everything; a label tells whose work it was, so to see how nvent runs flows:
                   go tool pprof -top -tagfocus turn=flow3/nvent FILE
  --help           show this
`)
	return b.String()
}
