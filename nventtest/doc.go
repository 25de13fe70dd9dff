// Package nventtest tests flows and jobs: a whole [nvent.App] on memory, with a clock of its own, and assertions on runs.
//
//	func TestOrder(t *testing.T) {
//		f := orders()
//		nventtest.Test(t, func(t *testing.T, app *nventtest.App) {
//			run := nventtest.Start(app, f, Order{ID: "42"})
//			if got := run.Result(); got.Tracking != "T-42" {
//				t.Errorf("got %+v", got)
//			}
//			nventtest.WantEmitted(run, Charged, Receipt{Order: "42"})
//			run.WantRecords(0, flow.RecordStepRetry, "")
//		}, f)
//	}
//
// # Time
//
// [Test] runs in a bubble of package testing/synctest. Its time begins at midnight UTC of 2000-01-01 and moves on when
// everything in the bubble waits: a run that sleeps for 30 days ends as soon as nothing else is left to do. time.Now,
// time.Sleep, timers and contexts with deadlines use that time too, in handlers and in the test. [Run.Result] lets as much
// time pass as the run needs; [App.Advance] lets a certain time pass; [App.Settle] lets none pass.
//
// What the rules of synctest forbid holds here: no t.Run, t.Parallel or t.Deadline inside, and no channels from outside.
// Handlers must not wait for the network, or for anything else outside of the bubble: time does not pass meanwhile. Give
// them a fake, or a server within the process over net.Pipe.
//
// # Failures
//
// Assertions report with t.Errorf, and what makes no sense to go on after with t.Fatalf; both print the run's log as a
// table. At the end the App is closed, and goroutines that are left over fail the test, with their stacks.
//
// Everything is to be called from the goroutine of the test.
package nventtest
