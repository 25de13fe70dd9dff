package nvent_test

import (
	"fmt"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
)

func ExampleConfig() {
	c := nvent.Config{
		Queue: nvent.QueueConfig{
			Default: nvent.JobDefaults{Attempts: 5, Backoff: flow.Exponential(time.Second).WithMax(time.Minute)},
			Queues:  map[string]nvent.QueueOverrides{"send-email": {Worker: nvent.WorkerConfig{Concurrency: 4}}},
		},
		Store: nvent.StoreConfig{Namespace: "shop"},
	}
	fmt.Println(c.Validate())
	// Output: <nil>
}

func ExampleParseConfig() {
	file := `
queue:
  adapter: memory
  defaultConfig: {attempts: 5, backoff: 2s}
store:
  namespace: ${SHOP:corner}-shop
`
	c, err := nvent.ParseConfig([]byte(file), "nvent.yaml", []string{"NVENT_QUEUE_DEFAULT_CONFIG_ATTEMPTS=7"})
	fmt.Println(c.Queue.Default.Attempts, c.Store.Namespace, err)

	_, err = nvent.ParseConfig([]byte("flow:\n  stepTimout: 5m\n"), "nvent.yaml", nil)
	fmt.Println(err)
	// Output:
	// 7 corner-shop <nil>
	// configuration: nvent.yaml:2:3: flow.stepTimout: unknown key; did you mean "stepTimeout"? (allowed here: stepTimeout)
}

func ExampleLoadConfig() {
	// A program passes os.Environ(). Without a path, NVENT_CONFIG names the file, or nvent.yaml is read if it exists.
	c, err := nvent.LoadConfig("", []string{"NVENT_LIMITS_PAYLOAD=2MiB"})
	fmt.Println(c.Limits.Payload, err)
	// Output: 2097152 <nil>
}

func ExampleConfig_String() {
	c := nvent.Config{Connections: map[string]nvent.Options{"redis": {"host": "localhost", "port": 6379, "password": "hunter2"}}}
	fmt.Println(c)
	// Output: {"connections":{"redis":{"host":"localhost","password":"[redacted]","port":6379}}}
}
