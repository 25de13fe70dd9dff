package nvent

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/config"
	"github.com/nvent-go/nvent/internal/document"
	"github.com/nvent-go/nvent/internal/engine"
)

// Validate reports everything that is wrong with the configuration, adapters and their options included: a [*ConfigError], or
// nil. It opens nothing. [New] calls it. Positions are where a value was loaded from.
func (c Config) Validate() error {
	v := validation{config: c, full: c.withDefaults(), problems: config.Check(c, c.origins)}
	v.backoff()
	v.retention()
	v.debug()
	v.adapters()
	return configError(v.problems)
}

// validation collects what is wrong with a configuration.
type validation struct {
	config, full Config // as given, and with the defaults
	problems     []config.Problem
}

func (v *validation) refuse(key, what, fix string) *config.Problem {
	where := v.config.origins[key].Value.String()
	v.problems = append(v.problems, config.Problem{Where: where, Key: key, What: what, Fix: fix})
	return &v.problems[len(v.problems)-1]
}

func (v *validation) backoff() {
	const key = "queue.defaultConfig.backoff"
	b := v.config.Queue.Default.Backoff
	switch {
	case b == flow.Backoff{}:
	case b.Kind == "":
		v.refuse(key, "has no kind", "add kind: fixed (base every time) or kind: exponential (base, twice base, ... up to max)")
	case b.Kind == flow.BackoffExponential && b.Base == 0:
		v.refuse(key, "has no base, which the exponential kind doubles", "add base: 1s, or how long the first delay is to be")
	case b.Max != 0 && b.Max < b.Base:
		v.refuse(key+".max", config.FormatDuration(time.Duration(b.Max))+" is less than base, "+
			config.FormatDuration(time.Duration(b.Base)), "raise max or lower base")
	}
}

func (v *validation) retention() {
	r := v.full.Store.Retention
	if r.EventTTL > 0 && r.MetadataTTL > 0 && r.MetadataTTL < r.EventTTL {
		v.refuse("store.retention.metadataTTL", config.FormatDuration(r.MetadataTTL)+" is shorter than eventTTL, "+
			config.FormatDuration(r.EventTTL), "logs cannot outlive their runs: raise metadataTTL or lower eventTTL")
	}
	cleanup := v.full.Store.State.Cleanup
	if cleanup.TTL != 0 && cleanup.Strategy != engine.CleanupTTL {
		v.refuse("store.state.cleanup.ttl", "has no effect with strategy "+config.ShowText(cleanup.Strategy),
			"set strategy: ttl, or remove ttl")
	}
}

func (v *validation) debug() {
	for _, part := range slices.Sorted(maps.Keys(v.config.Debug)) {
		if !slices.Contains(debugParts, part) {
			key := config.Join("debug", part)
			p := v.refuse(key, "there is no such part to log", "use "+strings.Join(debugParts, ", "))
			p.Where, p.Near = v.config.origins[key].Key.String(), document.Nearest(part, debugParts)
		}
	}
}
