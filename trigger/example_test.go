package trigger_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/nvent-go/nvent/trigger"
)

func ExampleCompile() {
	d, err := trigger.Parse([]byte(`
name: nightly
type: schedule
config: {cron: "30 2 * * *", zone: Europe/Oslo}
`), "nightly.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := trigger.Compile(d)
	if err != nil {
		fmt.Println(err)
		return
	}
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		fmt.Println(err)
		return
	}
	// In the night to 29 March the clocks skip half past two.
	tick := time.Date(2026, 3, 27, 12, 0, 0, 0, oslo)
	for range 3 {
		tick = t.Next(tick, tick)
		fmt.Println(tick.In(oslo))
	}
	// Output:
	// 2026-03-28 02:30:00 +0100 CET
	// 2026-03-29 03:00:00 +0200 CEST
	// 2026-03-30 02:30:00 +0200 CEST
}

func ExampleParse() {
	_, err := trigger.Parse([]byte(`{"type": "schedule", "config": {"corn": "0 3 * * *"}}`), "nightly.json")
	what, _, _ := strings.Cut(err.Error(), " (")
	fmt.Println(what)
	// Output:
	// nightly.json:1:33: unknown key "corn" in config; did you mean "cron"?
}
