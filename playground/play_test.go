package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/playground/orders"
)

func TestSampleIsSettled(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	report := filepath.Join(t.TempDir(), "sub", "report.json")
	if code := run(t.Context(), []string{"-json", "-report", report}, &out, &errs); code != exitOK {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	var rep orders.Report
	if err := json.Unmarshal(out.Bytes(), &rep); err != nil {
		t.Fatal(err)
	}
	if rep.Lines != 1000 || len(rep.Failed) != 0 || rep.Status["shipped"]+rep.Status["declined"] != rep.Runs ||
		rep.Runs+rep.Duplicates+len(rep.Malformed) != rep.Lines || rep.Duplicates == 0 || rep.Retried == 0 {
		t.Errorf("report does not add up: %+v", rep)
	}
	for _, b := range rep.Malformed {
		if b.Line < 1 || b.Line > 1000 || b.Error == "" {
			t.Errorf("malformed line %+v says too little", b)
		}
	}
	file, err := os.ReadFile(report)
	if err != nil || !bytes.Equal(file, out.Bytes()) {
		t.Errorf("report file differs from -json: %v", err)
	}
}

func TestTerminalOutput(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run(t.Context(), nil, &out, &errs); code != exitOK {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	for _, want := range []string{
		"skipped [even]", "5 words, lengths [2 2 2 3], 1 without", "two books, labelled: thank you",
		"booked: holiday, approved by ada", "ada paid by visa", "failed, as it should",
		"1000 lines read", "Malformed lines", "sample:6",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q", want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	const good = `{"id":"1","customer":"Ada","country":"NO","card":"ok","lines":[{"sku":"a","qty":1,"cents":100}]}`
	mixed := write("mixed.ndjson", "\n"+good+"\nnonsense\n"+good)
	for _, tt := range []struct {
		args []string
		code int
		say  string
	}{
		{[]string{"-quiet", "-input", mixed}, exitOK, ""},
		{[]string{"-quiet", "-strict", "-input", mixed}, exitMalformed, ""},
		{[]string{"-quiet", "-input", dir}, exitOK, ""},
		{[]string{"-input", filepath.Join(dir, "none")}, exitUsage, "no such file"},
		{[]string{"-input", t.TempDir()}, exitUsage, "no *.ndjson"},
		{[]string{"file"}, exitUsage, "name the input with -input"},
		{[]string{"-nonsense"}, exitUsage, "nonsense"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), tt.args, &out, &errs); code != tt.code || !strings.Contains(errs.String(), tt.say) {
			t.Errorf("%v: exit %d, %q; want %d and %q", tt.args, code, errs.String(), tt.code, tt.say)
		}
	}
}
