package flow

// Summary is the data of the record that ends a run: what the run did not do, and why. It speaks of what is outside of
// groups; what is missing in a group is in the group's own record.
type Summary struct {
	Result    uint64      `json:"result,omitempty"`    // seq of the record whose data is the flow's result
	Error     *Failure    `json:"error,omitempty"`     // what failed the run
	Reason    string      `json:"reason,omitempty"`    // of a cancellation
	Skipped   []string    `json:"skipped,omitempty"`   // steps that no event reached
	Unreached []Unreached `json:"unreached,omitempty"` // joins that were left partly filled
	Failed    []string    `json:"failed,omitempty"`    // steps whose failure did not fail the run
	Ignored   []Ignored   `json:"ignored,omitempty"`   // emissions that were not needed any more, the first 100
	// IgnoredCount is how many there were.
	IgnoredCount int `json:"ignoredCount,omitempty"`
}

// Unreached is a join that was left partly filled.
type Unreached struct {
	Step    string   `json:"step"`
	Have    []string `json:"have"`
	Waiting []string `json:"waiting"`
}

func (t *transition) summary() Summary {
	sum := Summary{Result: t.s.Result, Ignored: t.s.Ignored, IgnoredCount: t.s.IgnoredCount}
	for _, step := range t.def.steps {
		if step.level > 0 {
			continue
		}
		st := t.s.step(step.Name)
		switch {
		case st == nil:
			sum.Skipped = append(sum.Skipped, step.Name)
		case st.Failed > 0:
			sum.Failed = append(sum.Failed, step.Name)
		case st.Opened == 0:
			u := Unreached{Step: step.Name}
			for i, slot := range step.Slots {
				if i < len(st.Fill) && st.Fill[i] != 0 {
					u.Have = append(u.Have, slot.Event)
				} else {
					u.Waiting = append(u.Waiting, slot.Event)
				}
			}
			sum.Unreached = append(sum.Unreached, u)
		}
	}
	return sum
}
