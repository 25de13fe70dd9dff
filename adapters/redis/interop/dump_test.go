package interop_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// dump returns everything that a queue has in Redis, in a form that two queues on which the same was done have in common. These
// are the normalisations:
//   - Times, and what is computed from them, are "T". Delayed and finished jobs are compared by their order alone.
//   - A lock's token is "token"; the worker's name (pb) and bullmq's version are left out, and so is what nvent
//     adds (field nx; nl and nr in opts), and jobId in opts, which says again what the key says.
//   - opts is compared as a JSON value, stacktrace by its length: Node has a stack, Go the error.
//   - The marker is compared as far as jobs wait: bullmq adds one with every job that it takes, and may leave one behind.
func (b *both) dump(name string) map[string]string {
	b.t.Helper()
	ctx, c := b.t.Context(), b.client
	base := b.prefix + ":" + name + ":"
	keys, err := c.Do(ctx, c.B().Keys().Pattern(base+"*").Build()).AsStrSlice()
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[string]string{}
	for _, key := range keys {
		suffix := strings.TrimPrefix(key, base)
		kind, err := c.Do(ctx, c.B().Type().Key(key).Build()).ToString()
		if err != nil {
			b.t.Fatal(err)
		}
		var text string
		switch kind {
		case "string":
			text, err = c.Do(ctx, c.B().Get().Key(key).Build()).ToString()
			if strings.HasSuffix(suffix, ":lock") {
				text = "token"
			}
			if suffix == "stalled-check" {
				continue
			}
		case "list":
			var list []string
			list, err = c.Do(ctx, c.B().Lrange().Key(key).Start(0).Stop(-1).Build()).AsStrSlice()
			text = strings.Join(list, " ")
		case "set":
			var list []string
			list, err = c.Do(ctx, c.B().Smembers().Key(key).Build()).AsStrSlice()
			slices.Sort(list)
			text = strings.Join(list, " ")
		case "zset":
			args := c.B().Zrange().Key(key).Min("0").Max("-1").Withscores().Build()
			scores, failed := c.Do(ctx, args).AsZScores()
			err = failed
			for _, z := range scores {
				if suffix == "prioritized" {
					text += fmt.Sprintf("%s=%.0f ", z.Member, z.Score)
				} else {
					text += z.Member + " "
				}
			}
		case "hash":
			var h map[string]string
			h, err = c.Do(ctx, c.B().Hgetall().Key(key).Build()).AsStrMap()
			text = hashText(h)
		case "stream":
			entries, failed := c.Do(ctx, c.B().Xrange().Key(key).Start("-").End("+").Build()).AsXRange()
			err = failed
			for _, e := range entries {
				text += "\n    " + hashText(e.FieldValues)
			}
		}
		if err != nil {
			b.t.Fatal(err)
		}
		out[suffix] = text
	}
	waits := out["wait"] != "" || out["prioritized"] != ""
	paused := strings.Contains(out["meta"], "paused=")
	switch marker := strings.Fields(out["marker"]); {
	case waits && !paused:
		out["marker"] = fmt.Sprint("0 is there: ", slices.Contains(marker, "0"))
	default:
		delete(out, "marker")
	}
	return out
}

var timestamp = regexp.MustCompile(`\b1[789]\d{11}\b`)

func hashText(h map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(h)) {
		v := h[k]
		switch k {
		case "pb", "version", "nx":
			continue
		case "delay":
			if v != "0" {
				v = "T"
			}
		case "stacktrace":
			var list []string
			if json.Unmarshal([]byte(v), &list) == nil {
				v = fmt.Sprint(len(list), " errors")
			}
		case "opts":
			var o map[string]any
			if json.Unmarshal([]byte(v), &o) == nil {
				for _, own := range []string{"timestamp", "jobId", "nl", "nr"} {
					delete(o, own)
				}
				if o["delay"] == 0.0 {
					delete(o, "delay")
				} else if o["delay"] != nil {
					o["delay"] = "T"
				}
				raw, _ := json.Marshal(o) // keys are sorted
				v = string(raw)
			}
		}
		parts = append(parts, k+"="+timestamp.ReplaceAllString(v, "T"))
	}
	return strings.Join(parts, " ")
}
