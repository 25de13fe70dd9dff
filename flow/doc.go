// Package flow describes flows: named graphs of steps that are wired together by the events they emit.
//
// # Building a flow
//
// Events carry their Go type, and a subscription is a parameter, so that the compiler checks who takes what:
//
//	var (
//		Placed  = flow.NewEvent[Order]("order.placed")
//		Charged = flow.NewEvent[Receipt]("order.charged")
//		Packed  = flow.NewEvent[Parcel]("order.packed")
//	)
//
//	f := flow.New[Order, Shipment]("order")
//	flow.Start(f, "place", place, flow.Emits(Placed))
//	flow.On(f, "charge", Placed, charge, flow.Emits(Charged), flow.Attempts(5, flow.Exponential(time.Second)))
//	flow.On(f, "pack", Placed, pack, flow.Emits(Packed))
//	flow.Returns(f, flow.Join2(f, "ship", Charged, Packed, ship))
//
// A handler is a function of a context and its inputs; it returns a result and an error. It runs at least once. What it
// emits ([Event.Emit]) and what it changes in the run's state ([Set], [Delete], [Add]) takes effect if and only if the
// attempt succeeds, and only once. For effects outside of the flow there is [Key], which is the same for every attempt.
//
// Every step has two events of its own: [StepRef.Completed], which makes a simple line of steps without named events, and
// [StepRef.Failed], by which a step handles the failure of another.
//
//   - A step runs for the first event that reaches it; later ones are recorded as ignored. With [Each] it runs for every one.
//   - A join ([Join2], [Join3], [Join4], [JoinN]) waits for all, any or n of its events and runs once.
//   - [When] and [WhenEvent] take a connection only if an expression over the event's payload is true.
//   - A step that has failed for good fails the run, unless a step subscribes to its failure or it has [ContinueOnFailure].
//   - [Permanent] and [RetryAfter] let a handler say what to do about its error.
//
// # Documents
//
// Every flow is a document, a [Wiring], as JSON or YAML: a flow of Go writes itself with [Flow.Wiring], and [ParseWiring] reads
// one. A document names its handlers, which [Func] and its relatives register:
//
//	name: order
//	steps:
//	  place: {handler: place, config: {start: true, emits: [order.placed]}}
//	  charge: {handler: charge, retry: {attempts: 5, backoff: {kind: exponential, base: 1s}}}
//	  refund: {handler: refund}
//	connections:
//	  - {from: order.placed, to: charge, condition: payload.total > 0}
//	  - {from: "step:charge:failed", to: refund}
//
// Its JSON Schema is docs/flow.schema.json.
//
// # Analysis
//
// [Compile] and [Flow.Definition] analyse a flow and return all mistakes at once, each with its place, the nearest valid name
// and how to fix it. The result, a [Definition], is immutable and known by a hash of its content: equal for equal behaviour,
// whether it was built in Go or read from a document. [Bind] checks it against the handlers.
//
// # Transitions
//
// [Definition.Begin] and [Definition.Apply] are the heart of the engine: pure functions of a run's [State] and of what happened
// to it. They do no I/O, and time and chance come in as arguments, so that they can be searched exhaustively.
package flow
