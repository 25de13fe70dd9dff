package redistest

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// CheckCommands fails t if the server has been asked for a command that Redis did not have in the version oldest, such as "6.2".
// It is for the end of a test; it needs Redis 7 or later, and looks at nothing on an older one.
func CheckCommands(t testing.TB, client rueidis.Client, oldest string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second) // the test's own has ended
	defer cancel()
	stats, err := client.Do(ctx, client.B().Info().Section("commandstats").Build()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	used := 0
	for line := range strings.Lines(stats) {
		name, ok := strings.CutPrefix(line, "cmdstat_")
		name, _, _ = strings.Cut(name, ":")
		if !ok || strings.HasPrefix(name, "client|") || strings.HasPrefix(name, "command|") || name == "sunsubscribe" {
			// The library's, which it does not use on older servers, and those of this check.
			continue
		}
		docs, err := client.Do(ctx, client.B().Arbitrary("COMMAND", "DOCS", name).Build()).ToMap()
		if err != nil {
			return
		}
		doc := docs[name]
		fields, err := doc.ToMap()
		if err != nil {
			t.Fatalf("description of %s: %v", name, err)
		}
		field := fields["since"]
		since, err := field.ToString()
		if err != nil {
			t.Fatalf("description of %s: %v", name, err)
		}
		used++
		if newer(since, oldest) {
			t.Errorf("command %s is there since Redis %s, we promise to run on %s", name, since, oldest)
		}
	}
	if used < 5 {
		t.Errorf("only %d commands were used", used)
	}
}

// newer compares versions number by number.
func newer(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		m, _ := strconv.Atoi(x[i]) // versions of Redis are numbers
		n, _ := strconv.Atoi(y[i])
		if m != n {
			return m > n
		}
	}
	return false
}
