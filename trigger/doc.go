// Package trigger holds what starts runs and jobs by itself: triggers as documents, and the pure decision which of their ticks
// are due. It does no I/O and has no clock.
//
// A trigger is a [Definition]: of type schedule (a cron expression, an interval, or one time), event (on the bus of a process,
// or on a topic of the stream) or manual, and with it the flow that it starts or the job that it enqueues. [Parse] reads one
// from YAML or JSON, [Compile] checks it.
//
// # Time zones
//
// A cron expression is about the clocks on the wall of a time zone. Twice a year most of them jump, and then:
//
//   - A time that the clocks skip fires at the first instant after the gap.
//   - A time that the clocks show twice fires once, the first time.
//   - An expression that fires in every hour of the day (its hour is * or the like) follows the clocks as they run: what they
//     skip does not fire, and what they show twice fires twice. So "every 5 minutes" stays every 5 minutes.
package trigger
