// Package calendar knows when cron expressions tick in a time zone, and what they do when its clocks jump.
package calendar

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on machines without a database of them, such as an empty container

	"github.com/netresearch/go-cron"
)

// cronParser reads five fields, or six with seconds. Where day of month and day of week are both given, either will do, as in
// every cron since the seventies.
var cronParser = cron.MustNewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow |
	cron.Descriptor | cron.Extended | cron.DowOrDom).WithMaxSearchYears(12) // 12: from one 29 February over a year like 2100 to the next

// maxExpression bounds a cron expression, in bytes.
const maxExpression = 256

// Calendar is a cron expression in a time zone. It is immutable.
type Calendar struct {
	// fields knows the times of the wall, as if it hung where clocks never jump. The jumps are ours.
	fields *cron.SpecSchedule
	zone   *time.Location
	hourly bool // fires in every hour of the day
}

// New reads a cron expression of five fields, or six with seconds, in a time zone ("" is UTC). The error is for people.
func New(expression, zone string) (*Calendar, error) {
	switch {
	case len(expression) > maxExpression:
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(expression), maxExpression)
	case strings.HasPrefix(expression, "TZ=") || strings.HasPrefix(expression, "CRON_TZ="):
		return nil, errors.New("the time zone is a key of its own: zone")
	case strings.HasPrefix(expression, "@every"):
		return nil, errors.New("for @every there is a key of its own: interval")
	case strings.HasPrefix(expression, "@reboot"):
		return nil, errors.New("@reboot is nothing that a fleet of instances has")
	}
	loc, err := location(zone)
	if err != nil {
		return nil, err
	}
	// Lower case, because the parser takes the H of THU for one of its extensions.
	parsed, err := cronParser.Parse(strings.ToLower(expression))
	if err != nil {
		return nil, fmt.Errorf("%w; write five fields (minute, hour, day of month, month, day of week), or six with the second in front", err)
	}
	fields, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("it has no fields")
	}
	fields.Location = time.UTC
	const allHours = 1<<24 - 1
	c := &Calendar{fields: fields, zone: loc, hourly: fields.Hour&allHours == allHours}
	if fields.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, errors.New("there is no such day: it would never fire")
	}
	return c, nil
}

// location returns a time zone. Local is refused: instances may not agree on it.
func location(zone string) (*time.Location, error) {
	if zone == "" {
		return time.UTC, nil
	}
	if zone == "Local" {
		return nil, errors.New(`zone "Local" is another one on every machine: name one, such as "Europe/Oslo"`)
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("zone %q is not known: write it as in \"Europe/Oslo\" or \"UTC\"", zone)
	}
	return loc, nil
}

// Next returns the first tick after a time, or the zero time if there is none.
//
// It goes through the periods between the jumps of the clocks. Within one of them the wall is a constant away from UTC.
func (c *Calendar) Next(after time.Time) time.Time {
	from := after
	inclusive := false // a tick at from itself counts: from is the beginning of a period
	for {
		start, end := from.In(c.zone).ZoneBounds()
		offset := offsetAt(from, c.zone)
		wall := asWall(from, offset)
		if inclusive {
			wall = wall.Add(-time.Nanosecond)
		}
		if !c.hourly && !start.IsZero() {
			before := offsetAt(start.Add(-time.Nanosecond), c.zone)
			seen := asWall(start, before).Add(-time.Nanosecond) // the last moment that the clocks had shown
			switch {
			case offset < before && wall.Before(seen):
				wall = seen // what the clocks show again has fired already
			case offset > before && inclusive:
				if skipped := c.fields.Next(seen); !skipped.IsZero() && !skipped.After(asWall(start, offset)) {
					return start // it stands for what the clocks skipped
				}
			}
		}
		found := c.fields.Next(wall)
		if found.IsZero() {
			return time.Time{}
		}
		tick := found.Add(-offset)
		if end.IsZero() || tick.Before(end) {
			return tick
		}
		from, inclusive = end, true
	}
}

// asWall returns what the clocks show at an instant, written as UTC.
func asWall(t time.Time, offset time.Duration) time.Time { return t.UTC().Add(offset) }

func offsetAt(t time.Time, zone *time.Location) time.Duration {
	_, seconds := t.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}
