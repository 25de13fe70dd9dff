// Package flow defines flows: steps wired by the events that they emit.
//
// A flow is built in Go, with types that the compiler checks,
//
//	var Placed = flow.NewEvent[Order]("order.placed")
//
//	f := flow.New[Order, Receipt]("order")
//	flow.Start(f, "place", place, flow.Emits(Placed))
//	flow.Returns(f, flow.On(f, "charge", Placed, charge, flow.Attempts(5, flow.Exponential(time.Second))))
//
// or read from a document ([ParseWiring]) that names its handlers ([Func]). Both are the same thing: a [Wiring], compiled by
// [Compile] into a [Definition] that is known by the hash of its content.
//
// The handler of a step takes a plain context and the payloads that made it run. With the context it emits ([Event.Emit]),
// keeps state ([Set], [Get], [Add]), logs ([Logger]) and learns about its attempt ([Info], [Key]). What it emits and keeps
// takes effect if and only if it succeeds.
//
// The package is pure. [Definition.Apply] decides what follows from what has happened to a run, without I/O, clock or
// randomness; whoever runs flows (package nvent) loads the [State], calls it, and commits what it returns.
package flow
