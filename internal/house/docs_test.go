package house_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nvent-go/nvent/flow"
)

var update = flag.Bool("update", false, "write the quoted code into the pages")

// guides are the pages all of whose Go code is quoted from files that are compiled, and run, as tests.
var guides = []string{"flows.md", "joins-and-groups.md", "errors-and-retries.md", "time-and-awaits.md", "testing.md"}

// block is a quotation: where it comes from, and the code that the page shows.
var block = regexp.MustCompile("<!-- example: (\\S+)#(\\S+) -->\n```go\n((?s:.*?))```\n")

// TestGuidesQuoteCodeThatRuns compares the Go code of the guides with the regions that they name, which are between the
// lines "// doc: name" and "// end doc" of a test file. -update writes it.
func TestGuidesQuoteCodeThatRuns(t *testing.T) {
	t.Parallel()
	for _, page := range guides {
		file := filepath.Join("../../docs", page)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		quoted := 0
		changed := block.ReplaceAllStringFunc(string(text), func(old string) string {
			quoted++
			m := block.FindStringSubmatch(old)
			want := region(t, filepath.Join("../..", m[1]), m[2])
			if m[3] != want && !*update {
				t.Errorf("%s shows\n%s\nbut %s#%s has\n%s", page, m[3], m[1], m[2], want)
			}
			return "<!-- example: " + m[1] + "#" + m[2] + " -->\n```go\n" + want + "```\n"
		})
		if all := strings.Count(string(text), "```go\n"); all != quoted || quoted == 0 {
			t.Errorf("%s has %d blocks of Go, %d of them quoted from a test", page, all, quoted)
		}
		if *update {
			if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// region returns the lines of a region without their common indent.
func region(t *testing.T, file, name string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	in := false
	for line := range strings.Lines(string(text)) {
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "// doc: "+name:
			in = true
		case in && trimmed == "// end doc":
			indent := len(lines[0]) - len(strings.TrimLeft(lines[0], "\t"))
			for i, l := range lines {
				lines[i] = l[min(indent, len(l)-1):]
			}
			return strings.TrimRight(strings.Join(lines, ""), "\n") + "\n"
		case in:
			lines = append(lines, line)
		}
	}
	t.Fatalf("%s has no region %q", file, name)
	return ""
}

var yamlBlock = regexp.MustCompile("```yaml\n((?s:.*?))```\n")

// TestGuidesShowFlowsThatCompile reads every flow document of the guides.
func TestGuidesShowFlowsThatCompile(t *testing.T) {
	t.Parallel()
	found := 0
	for _, page := range guides {
		text, err := os.ReadFile(filepath.Join("../../docs", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range yamlBlock.FindAllSubmatch(text, -1) {
			found++
			w, err := flow.ParseWiring(m[1], page)
			if err == nil {
				_, err = flow.Compile(w)
			}
			if err != nil {
				t.Errorf("%s: %v\n%s", page, err, m[1])
			}
		}
	}
	if found < 3 {
		t.Errorf("found %d flow documents", found)
	}
}

// code is what only looks like a link.
var code = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestDocumentationLinksToFilesThatExist follows the relative links of all pages.
func TestDocumentationLinksToFilesThatExist(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, "../../README.md", "../../CONTRIBUTING.md")
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, m[1])
			}
		}
	}
	index, err := os.ReadFile("../../docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range slices.Concat(guides, []string{"triggers.md"}) {
		if !strings.Contains(string(index), "]("+page+")") {
			t.Errorf("docs/README.md does not link to %s", page)
		}
	}
}
