package nvent

import (
	"bytes"
	"context"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/flow"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	c := Config{}.withDefaults()
	if c.Logger == nil || c.Clock == nil || c.Registry == nil {
		t.Error("logger, clock or registry is missing")
	}
	if !c.autorun("q") || c.concurrency("q") != 32 {
		t.Errorf("worker: autorun %v, concurrency %d", c.autorun("q"), c.concurrency("q"))
	}
	c.Logger, c.Clock, c.Registry = nil, nil, nil
	want := Config{
		UI: new(true),
		Queue: QueueConfig{Adapter: "memory", Default: JobDefaults{
			Prefix: "nvent", Attempts: 3, Backoff: flow.Exponential(time.Second).WithMax(time.Minute).WithJitter(0.2),
			Worker: WorkerConfig{Concurrency: 32, Autorun: new(true)},
		}},
		Stream: StreamConfig{Adapter: "memory"},
		Store: StoreConfig{Adapter: "memory", Namespace: "nvent", Retention: RetentionConfig{EventTTL: 7 * day, MetadataTTL: 30 * day},
			State: StateConfig{Cleanup: CleanupConfig{Strategy: "never"}}},
		Flow:   FlowConfig{StepTimeout: 5 * time.Minute},
		Limits: LimitsConfig{Payload: 1 << 20},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %v\nwant %v", c, want)
	}
}

func TestDefaultsThatFollowOthers(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	c := Config{
		Queue: QueueConfig{Queues: map[string]QueueOverrides{
			"off": {WorkerConfig{Autorun: new(false)}}, "two": {WorkerConfig{Concurrency: 2}},
		}},
		Store: StoreConfig{
			Namespace: "shop", Retention: RetentionConfig{EventTTL: 60 * day}, State: StateConfig{CleanupConfig{Strategy: "ttl"}},
		},
	}
	full := c.withDefaults()
	store := full.Store
	if store.Retention.MetadataTTL != 60*day || store.State.Cleanup.TTL != time.Hour || full.Queue.Default.Prefix != "shop" {
		t.Errorf("got %v", full)
	}
	if full.autorun("off") || full.concurrency("off") != 32 || full.concurrency("two") != 2 || !full.autorun("two") {
		t.Errorf("queues: %v", full.Queue.Queues)
	}
	if again := full.withDefaults(); again.String() != full.String() || again.Validate() != nil {
		t.Errorf("defaults of defaults: %v, %v", again, again.Validate())
	}
	if c.Store.Retention.MetadataTTL != 0 {
		t.Error("withDefaults changed what it was called on")
	}
}

func TestDriversReplaceAdapters(t *testing.T) {
	t.Parallel()
	b := memory.New(nil)
	t.Cleanup(func() { _ = b.Queue().Close() })
	c := Config{Queue: QueueConfig{Driver: b.Queue()}}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	full := c.withDefaults()
	if full.Queue.Adapter != "" {
		t.Errorf("adapter is %q", full.Queue.Adapter)
	}
	list, err := full.openings()
	if err != nil || len(list) != 1 || list[0].kinds != adapter.KindStream|adapter.KindStore {
		t.Errorf("openings are %v, %v", list, err)
	}
	c.Queue.Adapter, c.Queue.Options = "memory", Options{"backlog": 1}
	want := "configuration has 2 problems:\n" +
		"  - queue.adapter: an adapter is named, and a driver is given as well (keep one of them)\n" +
		"  - queue.options: there are options, and a driver that takes none (remove one of them)"
	if err := c.Validate(); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %v", err, want)
	}
}

func TestOpeningsShareWhatIsEqual(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name string
		c    Config
		want []adapter.Kind
	}{
		{"all memory", Config{}, []adapter.Kind{adapter.KindQueue | adapter.KindStream | adapter.KindStore}},
		{"one connection", Config{
			Queue: QueueConfig{Adapter: "redis"}, Store: StoreConfig{Adapter: "redis"},
			Connections: map[string]Options{"redis": {"host": "a"}},
		}, []adapter.Kind{adapter.KindQueue | adapter.KindStore, adapter.KindStream}},
		{"equal options, differently written", Config{
			Queue: QueueConfig{Adapter: "redis", Adapters: map[string]Options{"redis": {"timeout": "60s"}}},
			Store: StoreConfig{Adapter: "redis", Options: Options{"timeout": time.Minute}},
		}, []adapter.Kind{adapter.KindQueue | adapter.KindStore, adapter.KindStream}},
		{"other host", Config{
			Queue: QueueConfig{Adapter: "redis", Options: Options{"host": "b"}}, Store: StoreConfig{Adapter: "redis"},
			Connections: map[string]Options{"redis": {"host": "a"}},
		}, []adapter.Kind{adapter.KindQueue, adapter.KindStream, adapter.KindStore}},
		{"other prefix", Config{Queue: QueueConfig{Default: JobDefaults{Prefix: "jobs"}}},
			[]adapter.Kind{adapter.KindQueue, adapter.KindStream | adapter.KindStore}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			x.c.Registry = testRegistry(t)
			list, err := x.c.withDefaults().openings()
			if err != nil {
				t.Fatal(err)
			}
			var got []adapter.Kind
			for _, o := range list {
				got = append(got, o.kinds)
			}
			if !reflect.DeepEqual(got, x.want) {
				t.Errorf("opened %v, want %v", got, x.want)
			}
		})
	}
}

func TestOptionsOfTheKindGoOverThoseOfTheConnection(t *testing.T) {
	t.Parallel()
	c := Config{
		Queue: QueueConfig{Adapter: "redis", Options: Options{"host": "options", "port": 2},
			Adapters: map[string]Options{"redis": {"host": "section", "tls": map[string]any{"insecure": true}}, "bus": {"host": "other"}}},
		Connections: map[string]Options{"redis": {"host": "connection", "port": 1, "password": "p", "tls": map[string]any{"ca": "x"}}},
	}
	var got redisOptions
	if err := c.adapterOptions(adapter.KindQueue, "redis", &got); err != nil {
		t.Fatal(err)
	}
	want := redisOptions{Host: "section", Port: 2, Password: "p"}
	want.TLS.CA, want.TLS.Insecure = "x", true
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDebugDecidesWhatIsLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := Config{
		Logger: slog.New(slog.NewTextHandler(&out, nil)),
		Debug:  map[string]slog.Level{"all": slog.LevelError, "engine": slog.LevelDebug},
	}.withDefaults()
	c.Logger.With("k", "v").WithGroup("g").Debug("engine speaks")
	c.logger("adapters").Log(context.Background(), slog.LevelWarn, "adapter speaks")
	c.withDefaults().logger("adapters").Error("adapter fails")
	for text, want := range map[string]bool{"engine speaks": true, "adapter speaks": false, "adapter fails": true} {
		if got := strings.Contains(out.String(), text); got != want {
			t.Errorf("%q is logged: %v; all of it: %s", text, got, out.String())
		}
	}
}
