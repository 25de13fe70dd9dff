package nvent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"

	"github.com/nvent-go/nvent/internal/config"
)

// DefaultConfigFile is the file that [LoadConfig] reads if nothing names another.
const DefaultConfigFile = "nvent.yaml"

// reservedVariables begin like keys and are none. A name that ends in _ stands for all that begin with it.
var reservedVariables = []string{"NVENT_CONFIG", "NVENT_REQUIRE", "NVENT_TEST_"}

// knownAdapters are the adapters of this project. Their sections are accepted whether they are registered or not, so that one
// file can serve programs with different adapters.
var knownAdapters = []string{"memory", "file", "redis", "postgres", "rabbitmq", "kafka", "nats"}

// LoadConfig reads the configuration from a file and overrides it from the environment, given in the form of [os.Environ];
// nil is an empty environment. An empty path stands for the variable NVENT_CONFIG or else, if it exists, [DefaultConfigFile].
//
// What it refuses is in a [*ConfigError]: all of it at once, with line and column. What needs the registry of adapters is left
// to [Config.Validate], which [New] calls.
func LoadConfig(path string, env []string) (Config, error) {
	optional := false
	if path == "" {
		path = config.Split(env)["NVENT_CONFIG"]
	}
	if path == "" {
		path, optional = DefaultConfigFile, true
	}
	data, err := os.ReadFile(path) //nolint:gosec // reading the file that the caller names is the purpose
	if err != nil && (!optional || !errors.Is(err, fs.ErrNotExist)) {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	return ParseConfig(data, path, env)
}

// ParseConfig is [LoadConfig] for a configuration that has been read already. name is what messages call it.
//
// Within texts ${VAR} and ${VAR:default} stand for variables of the environment; $${ stands for ${ itself. A variable
// NVENT_<KEY> overrides a key: NVENT_QUEUE_ADAPTER is queue.adapter.
func ParseConfig(data []byte, name string, env []string) (Config, error) {
	root, problems := config.Parse(name, data)
	if len(problems) > 0 {
		return Config{}, configError(problems)
	}
	vars := config.Split(env)
	used, problems := config.Expand(root, func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	})
	environment := configEnvironment()
	for _, kind := range []string{"queue", "stream", "store"} {
		if name := root.Text(kind, "adapter"); name != "" {
			environment.Adapters = append(environment.Adapters, name)
		}
	}
	problems = append(problems, environment.Overlay(root, reflect.TypeFor[Config](), vars, used)...)
	c := Config{origins: config.Origins{}}
	d := config.Decoder{Origins: c.origins}
	d.Decode(root, &c)
	if problems = append(problems, d.Problems...); len(problems) > 0 {
		return Config{}, configError(problems)
	}
	return c, nil
}

func configEnvironment() config.Environment {
	return config.Environment{Prefix: "NVENT_", Reserved: reservedVariables, Adapters: slices.Clone(knownAdapters)}
}
