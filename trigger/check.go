package trigger

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/internal/calendar"
	"github.com/nvent-go/nvent/internal/document"
)

// Invalid is the error of a trigger that was refused. It matches [adapter.ErrInvalid].
type Invalid struct {
	Trigger  string
	Problems []string // at least one: what is wrong, and what to do about it
}

// Error lists the problems, one per line.
func (e *Invalid) Error() string {
	if len(e.Problems) == 1 {
		return fmt.Sprintf("trigger %q: %s", e.Trigger, e.Problems[0])
	}
	return fmt.Sprintf("trigger %q has %d problems:\n  - %s", e.Trigger, len(e.Problems), strings.Join(e.Problems, "\n  - "))
}

// Is reports whether target is [adapter.ErrInvalid].
func (e *Invalid) Is(target error) bool { return target == adapter.ErrInvalid }

// The bounds of a document.
const (
	maxName     = 128
	maxLimit    = 10_000
	minInterval = time.Second
	maxInterval = 100 * 365 * 24 * time.Hour
)

// Compile checks a definition. The error is an [*Invalid] with everything that is wrong.
func Compile(d Definition) (*Trigger, error) {
	c := &checker{def: d, t: &Trigger{def: d, paused: d.Paused, catchUp: d.Config.CatchUp, limit: d.Config.Limit}}
	c.name("name", d.Name, "the trigger has no name")
	switch d.Type {
	case Schedule:
		c.schedule()
	case Event:
		c.event()
	case Manual:
		c.none("config", "a manual trigger has none", d.Config != Config{})
	case "":
		c.report("type is missing: it is schedule, event or manual")
	default:
		near := ""
		if n := document.Nearest(d.Type, []string{Schedule, Event, Manual}); n != "" {
			near = fmt.Sprintf("; did you mean %q?", n)
		}
		c.report("type %q is not known: it is schedule, event or manual%s", d.Type, near)
	}
	c.target()
	c.input()
	if len(c.problems) > 0 {
		return nil, &Invalid{d.Name, c.problems}
	}
	return c.t, nil
}

type checker struct {
	def      Definition
	t        *Trigger
	problems []string
}

func (c *checker) report(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// none reports keys that do not belong here.
func (c *checker) none(key, why string, there bool) {
	if there {
		c.report("%s does not belong here: %s", key, why)
	}
}

// name checks a name that every backend has to take.
func (c *checker) name(key, name, missing string) {
	switch {
	case name == "":
		c.report("%s", missing)
	case len(name) > maxName:
		c.report("%s %.20q... has %d bytes, more than %d", key, name, len(name), maxName)
	case strings.ContainsFunc(name, odd):
		c.report("%s %q has other characters than letters, digits, '-', '_' and '.'", key, name)
	}
}

// odd reports what cannot be in a name.
func odd(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
}

func (c *checker) schedule() {
	conf := &c.def.Config
	c.none("config.event", "it is of triggers of type event", conf.Event != "")
	c.none("config.topic", "it is of triggers of type event", conf.Topic != "")
	c.none("config.filter", "it is of triggers of type event", conf.Filter != "")
	c.none("payload", "a tick has no payload; use input", c.def.Payload)
	var kinds []string
	for _, k := range []struct {
		key   string
		there bool
	}{{"cron", conf.Cron != ""}, {"interval", conf.Interval != 0}, {"at", conf.At != ""}, {"delay", conf.Delay != 0}} {
		if k.there {
			kinds = append(kinds, k.key)
		}
	}
	switch len(kinds) {
	case 0:
		c.report("config says nothing about when: give cron, interval, at or delay")
	case 1:
	default:
		c.report("config has %s: give one of them", strings.Join(kinds, " and "))
	}
	c.none("config.zone", "only cron has one; a time in RFC 3339 says it itself", conf.Zone != "" && conf.Cron == "")
	c.none("config.from", "only interval has one", conf.From != "" && conf.Interval == 0)
	if conf.Cron != "" {
		if cal, err := calendar.New(conf.Cron, conf.Zone); err != nil {
			c.report("config.cron %.100q: %v", conf.Cron, err)
		} else {
			c.t.next = func(after, _ time.Time) time.Time { return cal.Next(after) }
		}
	}
	c.interval()
	c.single()
	c.catchUp()
}

func (c *checker) interval() {
	conf := &c.def.Config
	var from time.Time
	if conf.From != "" {
		from = c.instant("config.from", conf.From)
	}
	switch d := time.Duration(conf.Interval); {
	case d == 0:
	case d < minInterval || d > maxInterval:
		c.report("config.interval is %v: use 1s to 100 years", d)
	default:
		c.t.next = every(d, from)
	}
}

// single checks schedules of one tick.
func (c *checker) single() {
	conf := &c.def.Config
	if conf.At != "" {
		at := c.instant("config.at", conf.At)
		c.t.next = once(func(time.Time) time.Time { return at })
	}
	switch d := time.Duration(conf.Delay); {
	case d == 0:
	case d < 0 || d > maxInterval:
		c.report("config.delay is %v: use up to 100 years", d)
	default:
		c.t.next = once(func(made time.Time) time.Time { return made.Add(d) })
	}
}

func (c *checker) instant(key, text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		c.report("%s %.50q is not a time: write it like 2026-12-24T18:00:00+01:00", key, text)
	} else if at.Year() < 1970 || at.Year() > 9000 {
		c.report("%s %.50q is too far away", key, text)
	}
	return at.UTC().Truncate(time.Millisecond)
}

func (c *checker) catchUp() {
	conf := &c.def.Config
	switch conf.CatchUp {
	case "":
		c.t.catchUp = CatchUpLast
	case CatchUpNone, CatchUpLast, CatchUpAll:
	default:
		near := ""
		if n := document.Nearest(conf.CatchUp, []string{CatchUpNone, CatchUpLast, CatchUpAll}); n != "" {
			near = fmt.Sprintf("; did you mean %q?", n)
		}
		c.report("config.catchUp %q is not known: it is none, last or all%s", conf.CatchUp, near)
	}
	switch {
	case conf.Limit != 0 && conf.CatchUp != CatchUpAll:
		c.report("config.limit does not belong here: only catchUp all has one")
	case conf.Limit < 0 || conf.Limit > maxLimit:
		c.report("config.limit is %d: use 1 to %d", conf.Limit, maxLimit)
	case conf.Limit == 0:
		c.t.limit = DefaultLimit
	}
}

func (c *checker) event() {
	conf := c.def.Config
	switch {
	case conf.Event == "" && conf.Topic == "":
		c.report("config says nothing about what for: give event (on the bus) or topic (of the stream)")
	case conf.Event != "" && conf.Topic != "":
		c.report("config has event and topic: give one of them")
	case conf.Topic != "":
		c.name("config.topic", conf.Topic, "")
	case len(conf.Event) > maxName:
		c.report("config.event %.20q... has %d bytes, more than %d", conf.Event, len(conf.Event), maxName)
	}
	if conf.Filter != "" {
		f, err := flow.NewFilter(conf.Filter)
		if err != nil {
			c.report("config.filter %.100q: %v", conf.Filter, err)
		}
		c.t.filter = f
	}
	conf.Event, conf.Topic, conf.Filter = "", "", ""
	c.none("config", "cron, interval, at, delay and what goes with them are of triggers of type schedule", conf != Config{})
}

// target checks what is started.
func (c *checker) target() {
	if c.def.Flow != "" {
		c.name("flow", c.def.Flow, "")
	}
	job := c.def.Job
	if job == nil {
		return
	}
	c.none("flow", "there is a job; a trigger starts one of them", c.def.Flow != "")
	c.name("job.queue", job.Queue, "job.queue is missing")
	if job.Name == "" || len(job.Name) > 512 {
		c.report("job.name has %d bytes: use 1 to 512", len(job.Name))
	}
	if job.Timeout < 0 {
		c.report("job.timeout is negative")
	}
	if r := job.Retry; r != nil {
		if _, _, err := flow.ForJob(flow.Attempts(r.Attempts, r.Backoff)); err != nil {
			c.report("job.retry: %v", err)
		}
	}
}

// input checks what is given to what is started.
func (c *checker) input() {
	in := c.def.Input
	if c.def.Payload {
		c.none("input", "the payload is the input", len(in) > 0)
		return
	}
	if len(in) == 0 {
		return
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(in, &object); err != nil || object == nil {
		c.report("input is not an object, and what fired is added to it under %q", inputKey)
		return
	}
	if _, taken := object[inputKey]; taken {
		c.report("input has the key %q, which is where it is told what fired: rename it", inputKey)
	}
}
