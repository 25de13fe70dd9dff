package nvent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent"
	"github.com/nvent-go/nvent/flow"
	"github.com/nvent-go/nvent/trigger"
)

type payment struct {
	ID    string `json:"id"`
	Cents int    `json:"cents"`
}

func TestAnEventOfTheBusStartsARunBeforePublishReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		paid := nvent.NewBusEvent[payment]("order.paid")
		defs := []any{nvent.StartsFlow("large", nvent.OnEvent(paid), f.flow, func(p payment) report { return report{p.ID} },
			nvent.Where("payload.cents > 1000"))}
		a, b := f.app(nvent.Config{}, defs...), f.app(nvent.Config{}, defs...)
		synctest.Wait()
		paid.Publish(t.Context(), a.Bus(), payment{"small", 1000})
		paid.Publish(t.Context(), a.Bus(), payment{"large", 1001})
		page, err := b.Runs(t.Context(), nvent.RunQuery{Label: "trigger=large"})
		if err != nil || len(page.Items) != 1 {
			t.Fatalf("%d runs when Publish has returned, %v; want 1", len(page.Items), err)
		}
		a.Bus().Publish(t.Context(), "order.paid", map[string]any{"id": "no amount"})
		if !strings.Contains(f.logs.String(), "evaluate filter") {
			t.Errorf("a filter that cannot be evaluated is silent:\n%s", f.logs.String())
		}
		if err := b.Triggers().Pause(t.Context(), "large"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		paid.Publish(t.Context(), a.Bus(), payment{"paused", 2000})
		if err := b.Triggers().Delete(t.Context(), "large"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		paid.Publish(t.Context(), a.Bus(), payment{"deleted", 2000})
		time.Sleep(time.Second)
		if got := f.noted(); !slices.Equal(got, []string{"large"}) {
			t.Errorf("runs got %q, want large only", got)
		}
		closeApp(t, a)
		closeApp(t, b)
	})
}

func TestAMessageOfATopicStartsOneRunOnHoweverManyInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		a := f.app(nvent.Config{})
		_, err := a.Triggers().Save(t.Context(), nvent.TriggerDefinition{
			Name: "paid", Type: trigger.Event, Flow: "report", Payload: true, Config: trigger.Config{Topic: "orders", Filter: "payload.cents > 0"},
		})
		if err != nil {
			t.Fatal(err)
		}
		apps := []*nvent.App{a, f.app(nvent.Config{}), f.app(nvent.Config{})}
		synctest.Wait()
		publish := func(v any) {
			t.Helper()
			if err := apps[len(apps)-1].Stream().Publish(t.Context(), "orders", nvent.StreamInput{Data: v}); err != nil {
				t.Fatal(err)
			}
		}
		var want []string
		for i := range 20 {
			publish(map[string]any{"day": fmt.Sprintf("%02d", i), "cents": i})
			if i > 0 {
				want = append(want, fmt.Sprintf("%02d", i))
			}
		}
		publish("what is this")
		time.Sleep(time.Second)
		if got := f.noted(); !slices.Equal(got, want) {
			t.Errorf("runs got %q, want %q", got, want)
		}
		if !strings.Contains(f.logs.String(), "event is given up") || !strings.Contains(f.logs.String(), "orders.dead") {
			t.Errorf("a message that the filter cannot deal with is not reported:\n%s", f.logs.String())
		}
		for _, app := range apps[:2] {
			closeApp(t, app)
		}
		publish(map[string]any{"day": "20", "cents": 1})
		closeApp(t, apps[2])
		publisher := f.backend.Stream()
		if err := publisher.Publish(t.Context(), message("orders", `{"day":"21","cents":1}`)); err != nil {
			t.Fatal(err)
		}
		late := f.app(nvent.Config{})
		time.Sleep(time.Second)
		if got := f.noted(); !slices.Equal(got, append(want, "20", "21")) {
			t.Errorf("runs got %q, want those of messages that came while no instance ran too", got)
		}
		closeApp(t, late)
	})
}

// TestAMessageThatIsDeliveredAgainStartsNothing fails the store after it has started a run.
func TestAMessageThatIsDeliveredAgainStartsNothing(t *testing.T) {
	t.Parallel()
	for at := 1; at <= 4; at++ {
		for _, mode := range []faultMode{failBefore, failAfter, cutBefore, cutAfter} {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				queue := f.backend.Queue()
				faulty := &faults{kill: queue.Kill}
				on := nvent.Enqueues("paid", nvent.OnTopic[payment]("orders"), mail, func(p payment) report { return report{p.ID} })
				first := f.appOn(faultyQueue{queue, faulty}, nvent.Config{Store: nvent.StoreConfig{Driver: faultyStore{f.backend.Store(), faulty}}}, on)
				synctest.Wait()
				faulty.mu.Lock()
				faulty.calls, faulty.at, faulty.mode = 0, at, mode
				faulty.mu.Unlock()
				if err := f.backend.Stream().Publish(t.Context(), message("orders", `{"id":"42","cents":1}`)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				second := f.app(nvent.Config{}, on)
				time.Sleep(time.Minute)
				closeApp(t, first) // hands over what it could not do
				time.Sleep(time.Minute)
				if got := f.mailed(); !slices.Equal(got, []string{"42"}) {
					t.Errorf("%s call %d: jobs got %q, want one", mode, at, got)
				}
				closeApp(t, second)
			})
		}
	}
}

func TestAnEventTriggerThatMovesToAnotherTopicListensThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		a, b := f.app(nvent.Config{}), f.app(nvent.Config{})
		def, err := a.Triggers().Save(t.Context(), nvent.TriggerDefinition{
			Name: "paid", Type: trigger.Event, Flow: "report", Payload: true, Config: trigger.Config{Topic: "old"},
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		def.Config.Topic = "new"
		if _, err := b.Triggers().Save(t.Context(), def); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, topic := range []string{"old", "new"} {
			if err := a.Stream().Publish(t.Context(), topic, nvent.StreamInput{Data: report{topic}}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if got := f.noted(); !slices.Equal(got, []string{"new"}) {
			t.Errorf("runs got %q, want new only", got)
		}
		closeApp(t, a)
		closeApp(t, b)
	})
}

// TestAncestor_APayloadCannotPoseAsTheEngine: the ancestor spread the payload of a trigger over its own fields, so that a body
// with a flowId became another run's, and a field named input hid the rest.
func TestAncestor_APayloadCannotPoseAsTheEngine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		got := make(chan string, 1)
		raw := flow.New[json.RawMessage, string]("raw")
		flow.Start(raw, "take", func(_ context.Context, in json.RawMessage) (string, error) {
			got <- string(in)
			return "", nil
		})
		app := f.app(nvent.Config{}, raw, nvent.TriggerDefinition{
			Name: "raw", Type: trigger.Event, Config: trigger.Config{Event: "hook"}, Input: json.RawMessage(`{"fixed":1}`),
		})
		synctest.Wait()
		app.Bus().Publish(t.Context(), "hook", map[string]any{"flowId": "other", "input": "hidden", "trigger": "me", "fixed": 2})
		const want = `{"fixed":1,"trigger":{"name":"raw","type":"event","at":"2000-01-01T00:00:00Z","event":"hook",` +
			`"payload":{"fixed":2,"flowId":"other","input":"hidden","trigger":"me"}}}`
		if got := <-got; got != want {
			t.Errorf("input %s\nwant  %s", got, want)
		}
		closeApp(t, app)
	})
}
