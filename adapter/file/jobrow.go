package file

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// What a job has beside its row.
const (
	extraData   = 1
	extraLabels = 2
	extraLog    = 4
)

// bigData is how many bytes of data are kept beside the row rather than in it.
const bigData = 1024

// jobRow is a job as it is stored.
type jobRow struct {
	n, queue, state        int64
	id, name               string
	data                   json.RawMessage
	headers, labels        json.RawMessage
	options                string
	priority, created, sum int64
	due                    int64
	attempt, delivery      int64
	lost, extras           int64
	started, finished      int64
	result, progress       json.RawMessage
	errText, consumer      string
	receipt                int64
}

const jobColumns = `j.n, j.queue, j.state, j.id, j.name, coalesce(j.data, (SELECT d.data FROM job_data d WHERE d.n = j.n)),
	j.headers, j.labels, j.options, j.priority, j.created, j.sum, j.due, j.attempt, j.delivery, j.lost, j.extras, j.started,
	j.finished, j.result, j.progress, j.error, j.consumer, j.receipt`

func scanJob(r sqlite.Row) *jobRow {
	return &jobRow{
		n: r.Int(0), queue: r.Int(1), state: r.Int(2), id: r.Text(3), name: r.Text(4), data: r.JSON(5),
		headers: r.JSON(6), labels: r.JSON(7), options: r.Text(8), priority: r.Int(9), created: r.Int(10), sum: r.Int(11),
		due: r.Int(12), attempt: r.Int(13), delivery: r.Int(14), lost: r.Int(15), extras: r.Int(16), started: r.Int(17),
		finished: r.Int(18), result: r.JSON(19), progress: r.JSON(20), errText: r.Text(21), consumer: r.Text(22), receipt: r.Int(23),
	}
}

// checksum is over what never changes.
func (j *jobRow) checksum() int64 {
	var s sum
	s.number(j.n)
	s.number(j.queue)
	sumText(&s, j.id)
	sumText(&s, j.name)
	sumText(&s, j.data)
	sumText(&s, j.headers)
	sumText(&s, j.labels)
	sumText(&s, j.options)
	s.number(j.priority)
	s.number(j.created)
	return s.value()
}

var stateNames = [states]adapter.JobState{
	adapter.JobWaiting, adapter.JobDelayed, adapter.JobActive, adapter.JobCompleted, adapter.JobFailed,
}

func stateNumber(s adapter.JobState) (int, bool) {
	for n, name := range stateNames {
		if name == s {
			return n, true
		}
	}
	return 0, false
}

func timeOf(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros)
}

// job returns the job in the words of the contract.
func (j *jobRow) job(queue string, cache *optionCache) (out adapter.Job, err error) {
	if j.sum != j.checksum() {
		return out, damaged("job %s of queue %q", j.id, queue)
	}
	o, err := cache.decode(j.options)
	if err != nil {
		return out, err
	}
	o.fill(&out.NewJob)
	out.ID, out.Queue, out.Name, out.Data, out.Priority = j.id, queue, j.name, j.data, int(j.priority)
	if out.Headers, err = decodeMap(j.headers); err != nil {
		return out, err
	}
	if out.Labels, err = decodeMap(j.labels); err != nil {
		return out, err
	}
	out.State = stateNames[j.state]
	out.Attempt, out.Delivery = int(j.attempt), int(j.delivery)
	out.Result, out.Error, out.Progress = j.result, j.errText, j.progress
	out.CreatedAt, out.StartedAt, out.FinishedAt = timeOf(j.created), timeOf(j.started), timeOf(j.finished)
	return out, nil
}

// removeJob removes a job and what it has beside its row.
func removeJob(tx *sqlite.Tx, n, extras int64) error {
	if _, err := tx.Exec("DELETE FROM jobs WHERE n = ?", n); err != nil {
		return err
	}
	if extras&extraData != 0 {
		if _, err := tx.Exec("DELETE FROM job_data WHERE n = ?", n); err != nil {
			return err
		}
	}
	if extras&extraLabels != 0 {
		if _, err := tx.Exec("DELETE FROM job_labels WHERE n = ?", n); err != nil {
			return err
		}
	}
	if extras&extraLog != 0 {
		if _, err := tx.Exec("DELETE FROM job_log WHERE n = ?", n); err != nil {
			return err
		}
	}
	return nil
}

// maxRemoved is how many finished jobs a transaction removes at most; the rest follows with the next ones.
const maxRemoved = 1000

// removeBeyond removes the finished jobs of a queue beyond a number, those first that would be removed first anyway.
func removeBeyond(tx *sqlite.Tx, key fullKey, keep int) error {
	column := "completed"
	if key.state == failed {
		column = "failed"
	}
	have, err := tx.Int("SELECT "+column+" FROM queues WHERE id = ?", key.queue)
	if err != nil {
		return err
	}
	if c := workOf(tx).counts[key.queue]; c != nil {
		have += c[key.state]
	}
	if have <= int64(keep) {
		return nil
	}
	return removeFinished(tx, inState("SELECT n, extras FROM jobs WHERE queue = ? AND state = %d AND state > 0 ORDER BY due LIMIT ? + 0", key.state),
		key, key.queue, min(have-int64(keep), maxRemoved))
}

// inState fills a state into a statement. It is no parameter, because the statement would be planned anew each time: SQLite has
// to look at the value to know whether an index that holds some states only can be used.
func inState(query string, state int) string {
	return strings.Replace(query, "%d", string(rune('0'+state)), 1)
}

// removeFinished removes the jobs that a query finds.
func removeFinished(tx *sqlite.Tx, query string, key fullKey, args ...any) error {
	type found struct{ n, extras int64 }
	var list []found
	err := tx.Query(query, func(r sqlite.Row) error {
		list = append(list, found{r.Int(0), r.Int(1)})
		return nil
	}, args...)
	if err != nil {
		return err
	}
	for _, f := range list {
		if err := removeJob(tx, f.n, f.extras); err != nil {
			return err
		}
	}
	workOf(tx).count(key.queue, key.state, -int64(len(list)))
	return nil
}
