// Package adapter is the contract between nvent and what it runs on.
//
// An adapter is a driver for one backend. It offers up to three things:
//
//   - a [Queue] holds jobs and delivers each under a lease,
//   - a [Stream] carries messages between instances,
//   - a [Store] keeps event logs, versioned documents and keys.
//
// Drivers are dumb on purpose. Users never meet these interfaces: they meet the portable types of package nvent, which
// validate, encode, limit and measure once for all drivers. A driver stores, delivers and reports what happened; it does
// not retry, does not log, and never computes a back-off.
//
// # Rules for every method of every driver
//
//   - It may be called from many goroutines at once.
//   - It returns promptly once its context has ended, with an error that wraps the context's cause. A write whose outcome
//     is then unknown may or may not have been applied; the engine reads before it repeats.
//   - After Close it returns an error that wraps [ErrClosed]. Close may be called twice; the second call does nothing.
//   - It may keep the slices and maps that it is given, so a caller must not change them afterwards. What it returns
//     belongs to the caller for reading only: the driver may hand the same bytes to others.
//   - JSON keeps its value, not its bytes: a driver may store {"a":1.0} and return {"a": 1.0}, never {"a":1} with another
//     value or a number that lost digits.
//   - It returns the errors of this package where they fit, wrapped with %w. It never logs and returns the same error.
//   - What it does not claim in [Info] it refuses with [ErrUnsupported]; it never silently does less.
//
// # Writing an adapter
//
// Implement the interfaces, fill in [Info] honestly, and run the conformance suites of package adaptertest against the
// real backend. The suites are the contract in executable form.
package adapter
