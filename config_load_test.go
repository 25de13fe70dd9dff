package nvent

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

const everyKey = `
dir: flows
ui: false
debug: {engine: debug, all: warn}
queue:
  adapter: redis
  redis: {host: a, tls: {insecure: true}}
  options: {port: 1}
  defaultConfig:
    prefix: jobs
    attempts: 5
    backoff: {kind: exponential, base: 500, max: 1m, jitter: 0.5}
    worker: {concurrency: 8, autorun: false}
  queues:
    send-email:
      worker: {concurrency: 2, autorun: true}
stream:
  adapter: bus
store:
  adapter: redis
  namespace: shop
  retention: {eventTTL: 604800, metadataTTL: 14d}
  state: {cleanup: {strategy: ttl, ttl: 90}}
flow: {stepTimeout: 1500}
limits: {payload: 512KiB}
connections:
  redis: {host: b, timeout: 2s}
`

func TestParseConfigReadsEveryKey(t *testing.T) {
	t.Parallel()
	got, err := ParseConfig([]byte(everyKey), "nvent.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	got.origins = nil
	want := Config{
		Dir: "flows", UI: new(false), Debug: map[string]slog.Level{"engine": slog.LevelDebug, "all": slog.LevelWarn},
		Queue: QueueConfig{
			Adapter:  "redis",
			Adapters: map[string]Options{"redis": {"host": "a", "tls": map[string]any{"insecure": true}}},
			Options:  Options{"port": int64(1)},
			Default: JobDefaults{
				Prefix: "jobs", Attempts: 5, Backoff: flow.Exponential(500 * time.Millisecond).WithMax(time.Minute).WithJitter(0.5),
				Worker: WorkerConfig{Concurrency: 8, Autorun: new(false)},
			},
			Queues: map[string]QueueOverrides{"send-email": {Worker: WorkerConfig{Concurrency: 2, Autorun: new(true)}}},
		},
		Stream: StreamConfig{Adapter: "bus"},
		Store: StoreConfig{
			Adapter: "redis", Namespace: "shop",
			Retention: RetentionConfig{EventTTL: 7 * 24 * time.Hour, MetadataTTL: 14 * 24 * time.Hour},
			State:     StateConfig{Cleanup: CleanupConfig{Strategy: "ttl", TTL: 90 * time.Second}},
		},
		Flow:        FlowConfig{StepTimeout: 1500 * time.Millisecond},
		Limits:      LimitsConfig{Payload: 512 << 10},
		Connections: map[string]Options{"redis": {"host": "b", "timeout": "2s"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
	got.Registry = testRegistry(t)
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
}

func TestParseConfigOfNothingIsTheZeroValue(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\n", "# nothing yet\n", "---\n", "\xef\xbb\xbf", "{}", "queue:\nstore:\n  retention:\n"} {
		c, err := ParseConfig([]byte(text), "nvent.yaml", nil)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if c.String() != "{}" || c.Validate() != nil {
			t.Errorf("%q: got %v, %v", text, c, c.Validate())
		}
	}
}

func TestEnvironmentOverridesTheFile(t *testing.T) {
	t.Parallel()
	file := `
queue:
  adapter: redis
  redis: {host: file, tls: {ca: file.pem}}
  queues: {send-email: {worker: {concurrency: 1}}}
`
	c, err := ParseConfig([]byte(file), "nvent.yaml", []string{
		"NVENT_QUEUE_DEFAULT_CONFIG_ATTEMPTS=7",
		"NVENT_QUEUE_DEFAULT_CONFIG_BACKOFF=250",
		"NVENT_QUEUE_QUEUES_SEND_EMAIL_WORKER_CONCURRENCY=9",
		"NVENT_QUEUE_QUEUES_SMS_WORKER_AUTORUN=false",
		"NVENT_QUEUE_REDIS_HOST=env",
		"NVENT_QUEUE_REDIS_PASSWORD=0123",
		"NVENT_QUEUE_REDIS_TLS_CA=env.pem",
		"NVENT_QUEUE_REDIS_TLS_INSECURE=true",
		"NVENT_QUEUE_REDIS_BROKERS=a, b",
		"NVENT_CONNECTIONS_REDIS_TIMEOUT=1500",
		"NVENT_STORE_ADAPTER=own",
		"NVENT_STORE_OWN_SOME_KEY=1",
		"NVENT_STORE_RETENTION_EVENT_TTL=60",
		"NVENT_LIMITS_PAYLOAD=2MiB",
		"NVENT_DEBUG_ENGINE=debug",
		"NVENT_UI=false",
		"NVENT_CONFIG=x", "NVENT_REQUIRE=race", "NVENT_TEST_REDIS=y", "PATH=/bin", "nonsense",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Queue.Default.Attempts != 7 || c.Queue.Default.Backoff != flow.Fixed(250*time.Millisecond) || *c.UI ||
		c.Store.Retention.EventTTL != time.Minute || c.Limits.Payload != 2<<20 || c.Debug["engine"] != slog.LevelDebug {
		t.Errorf("got %v", c)
	}
	if c.Queue.Queues["send-email"].Worker.Concurrency != 9 || *c.Queue.Queues["sms"].Worker.Autorun {
		t.Errorf("queues are %v", c.Queue.Queues)
	}
	if got := c.Store.Adapters["own"]["someKey"]; got != "1" {
		t.Errorf("someKey is %v", got)
	}
	var o redisOptions
	if err := c.adapterOptions(adapter.KindQueue, "redis", &o); err != nil {
		t.Fatal(err)
	}
	want := redisOptions{Host: "env", Password: "0123", Timeout: 1500 * time.Millisecond, Brokers: []string{"a", "b"}}
	want.TLS.CA, want.TLS.Insecure = "env.pem", true
	if !reflect.DeepEqual(o, want) {
		t.Errorf("options are %+v, want %+v", o, want)
	}
}

func TestVariablesInsideValues(t *testing.T) {
	t.Parallel()
	file := `
dir: "${HOME}/${SUB:flows}$${x}$"
store: {namespace: "${NVENT_SHOP}"}
queue:
  defaultConfig: {attempts: "${ATTEMPTS:4}", worker: {autorun: "${RUN}"}}
  redis: {port: "${PORT}", url: "redis://${HOME}"}
`
	c, err := ParseConfig([]byte(file), "nvent.yaml", []string{"HOME=h:}${SUB}", "NVENT_SHOP=s", "RUN=false", "PORT=6380"})
	if err != nil {
		t.Fatal(err)
	}
	jobs := c.Queue.Default
	if c.Dir != "h:}${SUB}/flows${x}$" || c.Store.Namespace != "s" || jobs.Attempts != 4 || *jobs.Worker.Autorun {
		t.Errorf("got %v, dir %q", c, c.Dir)
	}
	var o redisOptions
	if err := c.adapterOptions(adapter.KindQueue, "redis", &o); err != nil || o.Port != 6380 || o.URL != "redis://h:}${SUB}" {
		t.Errorf("options are %+v, %v", o, err)
	}
}

func TestLoadConfigFindsTheFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if c, err := LoadConfig("", nil); err != nil || c.String() != "{}" {
		t.Errorf("without a file: %v, %v", c, err)
	}
	for name, holds := range map[string]string{"nvent.yaml": "default", "other.yaml": "other", "third.yaml": "third"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("dir: "+holds), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"NVENT_CONFIG=other.yaml"}
	for _, x := range []struct {
		path string
		env  []string
		want string
	}{{"", nil, "default"}, {"", env, "other"}, {"third.yaml", env, "third"}} {
		if c, err := LoadConfig(x.path, x.env); err != nil || c.Dir != x.want {
			t.Errorf("LoadConfig(%q, %q) read %q, %v", x.path, x.env, c.Dir, err)
		}
	}
	if _, err := LoadConfig("none.yaml", nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestConfigErrorMatchesItsCauses(t *testing.T) {
	t.Parallel()
	err := Config{Queue: QueueConfig{Adapter: "kafka"}}.Validate()
	var found *ConfigError
	if !errors.As(err, &found) || len(found.Problems) != 1 || found.Problems[0].Key != "queue.adapter" {
		t.Fatalf("got %v", err)
	}
	if !errors.Is(err, adapter.ErrInvalid) || !errors.Is(err, adapter.ErrNotFound) || errors.Is(err, adapter.ErrClosed) {
		t.Errorf("%v does not match its causes", err)
	}
}
