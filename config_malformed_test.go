package nvent

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
)

var update = flag.Bool("update", false, "write the golden files")

// redisOptions are what a foreign adapter may want to know.
type redisOptions struct {
	URL      string        `json:"url"`
	Host     string        `json:"host"`
	Port     uint16        `json:"port"`
	Password string        `json:"password"`
	Timeout  time.Duration `json:"timeout"`
	Brokers  []string      `json:"brokers"`
	TLS      struct {
		CA       string `json:"ca"`
		Insecure bool   `json:"insecure"`
	} `json:"tls"`
}

// testRegistry has memory, an adapter "redis" with options, and one without, "bus", that is a stream only.
func testRegistry(t testing.TB) *adapter.Registry {
	t.Helper()
	redis := memory.Factory()
	redis.Name = "redis"
	redis.Options = func() any { return &redisOptions{Port: 6379} }
	bus := memory.Factory()
	bus.Name, bus.Kinds, bus.Options = "bus", adapter.KindStream, nil
	r, err := adapter.NewRegistry(memory.Factory(), redis, bus)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// headerEnv returns the environment that the comments at the top of a file ask for.
func headerEnv(data []byte) []string {
	var env []string
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "# env: "); ok {
			env = append(env, strings.TrimSuffix(v, "\n"))
		}
	}
	return env
}

func TestMalformedConfigs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := ParseConfig(data, "nvent.yaml", headerEnv(data))
			if err == nil {
				c.Registry = testRegistry(t)
				err = c.Validate()
			}
			if err == nil {
				t.Fatal("the configuration was accepted")
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Errorf("the error shows a secret: %v", err)
			}
			compareGolden(t, strings.TrimSuffix(file, ".yaml")+".golden", err.Error()+"\n")
		})
	}
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n got: %s\nwant: %s", file, got, want)
	}
}
