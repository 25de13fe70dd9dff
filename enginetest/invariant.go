package enginetest

import (
	"fmt"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/flow"
)

// CheckLog returns what is wrong with the whole log of a run, whatever its flow, or nil: its seqs have no gaps, causes come
// before what they cause, epochs do not go back, one outcome is recorded for each iteration of an epoch, and one end for the
// epoch with nothing after it.
func CheckLog(records []adapter.Record) error {
	type iteration struct {
		epoch       int
		step, scope string
		n           int
	}
	outcomes := map[iteration]uint64{}
	ended, epoch := 0, 0
	for i := range records {
		r := &records[i]
		if r.Seq != uint64(i)+1 {
			return fmt.Errorf("record %d has seq %d", i+1, r.Seq)
		}
		if i == 0 && r.Type != flow.RecordFlowStarted {
			return fmt.Errorf("the log begins with %s", r.Type)
		}
		for _, c := range r.Causes {
			if c == 0 || c >= r.Seq {
				return fmt.Errorf("record %d (%s) is caused by record %d", r.Seq, r.Type, c)
			}
		}
		if r.Epoch < epoch {
			return fmt.Errorf("record %d (%s) is of epoch %d, after one of epoch %d", r.Seq, r.Type, r.Epoch, epoch)
		}
		if epoch = r.Epoch; epoch == ended {
			return fmt.Errorf("record %d (%s) comes after the end of epoch %d", r.Seq, r.Type, epoch)
		}
		switch r.Type {
		case flow.RecordFlowCompleted, flow.RecordFlowFailed, flow.RecordFlowCanceled:
			ended = epoch
		case flow.RecordStepCompleted, flow.RecordStepFailed:
			key := iteration{r.Epoch, r.Step, r.Scope, r.Iteration}
			if first := outcomes[key]; first != 0 {
				return fmt.Errorf("step %q, iteration %d, has two outcomes: records %d and %d", r.Step, r.Iteration, first, r.Seq)
			}
			outcomes[key] = r.Seq
		}
	}
	if ended != epoch || epoch == 0 {
		return fmt.Errorf("the log has no end in epoch %d", epoch)
	}
	return nil
}
