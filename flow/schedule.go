package flow

import (
	"fmt"
	"time"

	"github.com/nvent-go/nvent/internal/calendar"
)

// nextTick returns what gives the next tick of a cron expression in a time zone. The zero time says that there is none.
func nextTick(cron, zone string) (func(time.Time) time.Time, error) {
	c, err := calendar.New(cron, zone)
	if err != nil {
		return nil, fmt.Errorf("schedule %q: %w", cron, err)
	}
	return c.Next, nil
}
