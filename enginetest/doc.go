// Package enginetest runs whole flows over any trio of adapters (queue, stream, store), and crashes them at every call: the
// promises of nvent in executable form. It is for us and for authors of adapters.
//
// An adapter has to pass package adaptertest first, which tests it alone. This package tests what adaptertest cannot: that
// the engine keeps its promises on the adapter, together with the others. The test of a driver describes its backend with a
// [Harness] and hands it to [Test] and [TestCrashes]:
//
//	func TestFlows(t *testing.T) {
//		h := enginetest.Harness{
//			New: func(ctx context.Context) (enginetest.Backend, error) {
//				space := mydriver.FreshNamespace()
//				return enginetest.Backend{
//					Open: func(ctx context.Context) (enginetest.Trio, error) {
//						q, err := mydriver.OpenQueue(ctx, url, space)
//						return enginetest.Trio{Queue: q}, err // stream and store are in memory then
//					},
//					Kill: func(t enginetest.Trio) { t.Queue.(*mydriver.Queue).CutConnections() },
//				}, nil
//			},
//			Lease: 2 * time.Second,
//		}
//		enginetest.Test(t, h)
//		enginetest.TestCrashes(t, h, enginetest.Scenarios()...)
//	}
//
// # What the suites assume
//
//   - Nobody else works in the namespace that Harness.New makes: an engine looks after every run in its store.
//   - Nothing about exact timing. What must happen is polled for, up to [Harness.Patience].
//   - A trio in memory whose time is that of package time sets [Harness.Bubble]: its checks run in testing/synctest bubbles
//     and take no real time.
//
// # Checks as values
//
// [Checks] returns the checks of whole flows, and [Crash] is one enumeration of crashes. Both return an error instead of
// failing a test, so that a test can prove that a check fails on a trio that is broken on purpose: see [Verify].
//
// # Crashes
//
// A [Scenario] is a flow and what is done to it. It runs undisturbed once. Then it runs again for each call that an instance
// makes to its adapters, and something happens to that call: see [Mode]. Whatever it is, the run must reach its end, and its
// log must equal the undisturbed one as a partial order by causes: see [Diff]. [Variants] do so under several circumstances.
// Over a server a crash takes as long as its leases, so it pays to go through few scenarios and variants, and many at once
// (Harness.AtOnce).
package enginetest
