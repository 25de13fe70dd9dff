package nvent

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/nvent-go/nvent/internal/config"
)

// Options are options of an adapter, by the names that its documentation gives them. Values are texts, numbers, booleans,
// durations, and slices and maps of those. Printed, logged or encoded they show no secrets: only numbers, booleans, and text
// that is known to be harmless, such as a host.
type Options map[string]any

// String returns the options as JSON, without secrets.
func (o Options) String() string { return redactedJSON(config.Redact(o)) }

// Format writes String, whatever the verb is: a verb must not be a way around redaction.
func (o Options) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(o.String())) }

// LogValue returns the options without secrets.
func (o Options) LogValue() slog.Value { return slog.AnyValue(config.Redact(o)) }

// MarshalJSON encodes the options without secrets: what it returns is for people, not to be loaded again.
func (o Options) MarshalJSON() ([]byte, error) { return json.Marshal(config.Redact(o)) }

// MarshalYAML does for encoders of YAML what MarshalJSON does.
func (o Options) MarshalYAML() (any, error) { return config.Redact(o), nil }

// String returns the configuration as JSON, as far as it differs from the zero value and without secrets.
func (c Config) String() string { return redactedJSON(c.redacted()) }

// Format writes String, whatever the verb is: a verb must not be a way around redaction.
func (c Config) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(c.String())) }

// LogValue returns the configuration without secrets.
func (c Config) LogValue() slog.Value { return slog.AnyValue(c.redacted()) }

// MarshalJSON encodes the configuration with the keys of the file and without secrets.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.redacted()) }

// MarshalYAML does for encoders of YAML what MarshalJSON does.
func (c Config) MarshalYAML() (any, error) { return c.redacted(), nil }

func (c Config) redacted() map[string]any { return config.Encode(c, config.Redact, config.RedactText) }

// redactedJSON encodes what is redacted already. Numbers that JSON does not have are the only thing that can fail.
func redactedJSON(m map[string]any) string {
	b, err := json.Marshal(m)
	if err != nil {
		return config.Redacted
	}
	return string(b)
}
