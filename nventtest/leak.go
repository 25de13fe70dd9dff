package nventtest

import (
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
)

// inBubble finds the bubble of a goroutine in the first line of its stack.
var inBubble = regexp.MustCompile(`^goroutine \d+ \[[^\]]*synctest bubble (\d+)`)

// reportLeaks reports the goroutines of the caller's bubble that are left, apart from those of package testing.
func reportLeaks(t testing.TB) {
	t.Helper()
	synctest.Wait()
	stacks := allStacks()
	own := inBubble.FindStringSubmatch(stacks[0]) // the caller's comes first
	if own == nil {
		t.Errorf("look for goroutines that are left: this is not a bubble")
		return
	}
	var left []string
	for _, s := range stacks[1:] {
		if m := inBubble.FindStringSubmatch(s); m == nil || m[1] != own[1] {
			continue
		}
		if !strings.Contains(s, "\ntesting.") && !strings.Contains(s, "\ntesting/synctest.") {
			left = append(left, s)
		}
	}
	if len(left) > 0 {
		t.Errorf("%d goroutines have not ended when the app was closed:\n\n%s", len(left), strings.Join(left, "\n\n"))
	}
}

func allStacks() []string {
	buf := make([]byte, 1<<16)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	return strings.Split(strings.TrimSpace(string(buf[:n])), "\n\n")
}
