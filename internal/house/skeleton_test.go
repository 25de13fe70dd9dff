package house_test

import (
	"strings"
	"testing"
)

// skeletonFile holds the skeleton of docs/adapters.md, between two marker lines. It is compiled with these tests.
const skeletonFile = "skeleton_adapter_test.go"

func TestAdaptersGuideShowsTheCompiledSkeleton(t *testing.T) {
	t.Parallel()
	source := between(t, skeletonFile, "// Skeleton begins.\n", "// Skeleton ends.\n")
	shown := between(t, "../../docs/adapters.md", "<!-- skeleton: internal/house/"+skeletonFile+" -->\n```go\n", "```\n")
	if strings.TrimSpace(source) != strings.TrimSpace(shown) {
		t.Errorf("docs/adapters.md shows\n%s\nbut %s has\n%s", shown, skeletonFile, source)
	}
}
