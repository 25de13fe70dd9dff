// Package adaptertest is the contract of package adapter in executable form: conformance suites and benchmarks for queue,
// stream and store drivers.
//
// A driver's own test describes how to reach its backend with a [Harness] and hands it to [TestQueue], [TestStream] or
// [TestStore]; its benchmarks go to [BenchmarkQueue], [BenchmarkStream] or [BenchmarkStore]:
//
//	func TestQueueConformance(t *testing.T) {
//		adaptertest.TestQueue(t, adaptertest.Harness[adapter.Queue]{
//			New: func(ctx context.Context) (adaptertest.Backend[adapter.Queue], error) {
//				return adaptertest.Backend[adapter.Queue]{
//					Open: func(ctx context.Context) (adapter.Queue, error) { return mydriver.Open(ctx, url) },
//					Kill: func(q adapter.Queue) { q.(*mydriver.Queue).CutConnections() },
//				}, nil
//			},
//			Lease: time.Second,
//		})
//	}
//
// # What the suites assume
//
//   - Nothing about the backend being empty or private: every check uses queues, topics, collections, partitions and keys with
//     random names, so that many suites may share one server. Checks run in parallel, but for those that restart the backend.
//   - Nothing about exact timing. What must happen is polled for, up to [Harness.Patience]; what must not happen is watched
//     for during [Harness.Quiet], so a slow machine can hide a defect but never invent one.
//   - What a driver claims in its Info is tested, what it does not claim must give adapter.ErrUnsupported.
//
// A driver that lives in memory and takes its time from package time sets [Harness.Bubble]; its checks then run inside
// testing/synctest bubbles and take no real time.
//
// # Checks as values
//
// [QueueChecks], [StreamChecks] and [StoreChecks] return the checks themselves. A check returns an error instead of failing a
// test, also where the driver panics in the calling goroutine or hangs, so a test can prove that a check fails on a driver that
// is broken on purpose: see [Verify].
package adaptertest
