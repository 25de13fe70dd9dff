package house_test

import (
	"os"
	"strings"
	"testing"
)

// exampleFile holds the example of the README, between two marker lines. It is compiled, and run, with these tests.
const exampleFile = "example_test.go"

func TestReadmeShowsTheCompiledExample(t *testing.T) {
	t.Parallel()
	source := between(t, exampleFile, "// README example begins.\n", "// README example ends.\n")
	shown := between(t, "../../README.md", "<!-- example: internal/house/"+exampleFile+" -->\n```go\n", "```\n")
	if strings.TrimSpace(source) != strings.TrimSpace(shown) {
		t.Errorf("README.md shows\n%s\nbut %s has\n%s", shown, exampleFile, source)
	}
	if n := strings.Count(strings.TrimSpace(shown), "\n") + 1; n > 30 {
		t.Errorf("the example of README.md has %d lines, want at most 30", n)
	}
}

// between returns the text of a file between two markers.
func between(t *testing.T, file, begin, end string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), begin)
	if !found {
		t.Fatalf("%s has no %q", file, begin)
	}
	part, _, found := strings.Cut(rest, end)
	if !found {
		t.Fatalf("%s has no %q after %q", file, end, begin)
	}
	return part
}
