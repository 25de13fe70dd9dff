package file

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

const (
	defaultPage  = 100
	defaultApply = 1000
)

// Lookup returns jobs by ID. See [adapter.Queue].
func (in *Queue) Lookup(ctx context.Context, queue string, ids ...string) ([]adapter.Job, error) {
	if err := in.usable(ctx, "lookup"); err != nil {
		return nil, err
	}
	var jobs []adapter.Job
	err := in.b.db.Read(ctx, func(c *sqlite.Conn) error {
		rows, err := in.lookup(c, queue, ids)
		if err == nil {
			jobs, err = in.jobs(queue, rows)
		}
		return err
	})
	if err != nil {
		return nil, fail("lookup", err)
	}
	return jobs, nil
}

func (in *Queue) lookup(c *sqlite.Conn, queue string, ids []string) ([]*jobRow, error) {
	id, err := in.b.knownQueue(c, queue)
	if err != nil || id == 0 {
		return nil, err
	}
	now := sqlite.Micros(in.b.o.Clock.Now())
	var rows []*jobRow
	for _, job := range ids {
		err := c.Query("SELECT "+jobColumns+" FROM jobs j WHERE j.queue = ? AND j.id = ?", func(r sqlite.Row) error {
			if row := scanJob(r); row.there(now) {
				rows = append(rows, row)
			}
			return nil
		}, id, job)
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// there reports whether the job has not been kept for its time yet.
func (j *jobRow) there(now int64) bool { return j.state < completed || j.due > now }

func (in *Queue) jobs(queue string, rows []*jobRow) ([]adapter.Job, error) {
	jobs := make([]adapter.Job, len(rows))
	for i, row := range rows {
		var err error
		if jobs[i], err = row.job(queue, &in.b.options); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

// List returns jobs by query. See [adapter.Queue].
func (in *Queue) List(ctx context.Context, queue string, q adapter.JobQuery) (adapter.Page[adapter.Job], error) {
	var page adapter.Page[adapter.Job]
	if err := in.usable(ctx, "list"); err != nil {
		return page, err
	}
	from, err := jobCursor(&q)
	if err != nil {
		return page, err
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	err = in.b.db.Read(ctx, func(c *sqlite.Conn) error {
		rows, err := in.find(c, queue, &q, from, limit+1)
		if err != nil {
			return err
		}
		if len(rows) > limit {
			rows = rows[:limit]
			page.Next = strconv.FormatInt(rows[limit-1].n, 36)
		}
		page.Items, err = in.jobs(queue, rows)
		return err
	})
	if err != nil {
		return adapter.Page[adapter.Job]{}, fail("list", err)
	}
	return page, nil
}

func jobCursor(q *adapter.JobQuery) (int64, error) {
	if q.Cursor != "" {
		from, err := strconv.ParseInt(q.Cursor, 36, 64)
		if err != nil {
			return 0, invalid("list", fmt.Sprintf("cursor %q", q.Cursor), "use Page.Next of the page before")
		}
		return from, nil
	}
	if q.Desc {
		return math.MaxInt64, nil
	}
	return 0, nil
}

// find returns up to limit jobs that match, after the one with number from (Desc: before it).
func (in *Queue) find(c *sqlite.Conn, queue string, q *adapter.JobQuery, from int64, limit int) ([]*jobRow, error) {
	id, err := in.b.knownQueue(c, queue)
	if err != nil || id == 0 {
		return nil, err
	}
	source, args := "jobs j", []any{}
	var where []string
	add := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	if q.Label != "" {
		source = "job_labels l CROSS JOIN jobs j ON j.n = l.n"
		add("l.queue = ? AND l.label = ? AND l.value = ?", id, q.Label, q.Value)
	}
	add("j.queue = ?", id)
	if states, ok := statesOf(q.States); ok {
		add(stateCondition(states, q.Label != ""))
	}
	if q.Name != "" {
		add("j.name = ?", q.Name)
	}
	if !q.After.IsZero() {
		add("j.created > ?", q.After.UnixMicro())
	}
	if !q.Before.IsZero() { // a time between two microseconds is after what was stored as the first
		add("j.created < ?", q.Before.Add(999).UnixMicro())
	}
	compare, order := ">", ""
	if q.Desc {
		compare, order = "<", " DESC"
	}
	number := "j.n"
	if q.Label != "" {
		number = "l.n"
	}
	add(number+" "+compare+" ?", from)
	now := sqlite.Micros(in.b.o.Clock.Now())
	var rows []*jobRow
	query := "SELECT " + jobColumns + " FROM " + source + " WHERE " + strings.Join(where, " AND ") + " ORDER BY " + number + order
	err = c.Query(query, func(r sqlite.Row) error {
		if row := scanJob(r); row.there(now) {
			rows = append(rows, row)
		}
		if len(rows) == limit {
			return errStop
		}
		return nil
	}, args...)
	if err == errStop { //nolint:errorlint // it is never wrapped
		err = nil
	}
	return rows, err
}

// statesOf returns the numbers of states, sorted; false if they do not select.
func statesOf(names []adapter.JobState) (list []int, ok bool) {
	for _, name := range names {
		if n, known := stateNumber(name); known && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, cmp.Compare)
	return list, len(names) > 0
}

// stateCondition selects states so that the index is used which holds only them: few jobs are in most states. With labels
// the labels are the better index.
func stateCondition(list []int, labels bool) string {
	switch {
	case len(list) == 0:
		return "0"
	case labels:
		return "+j.state IN (" + joinInts(list) + ")"
	case len(list) == 1 && list[0] == failed:
		return "j.state = 4"
	case len(list) == 1 && list[0] == waiting:
		return "j.state = 0"
	case slices.Contains(list, waiting), slices.Contains(list, completed):
		return "+j.state IN (" + joinInts(list) + ")"
	}
	return "j.state > 0 AND j.state IN (" + joinInts(list) + ")"
}

func joinInts(list []int) string {
	var text []string
	for _, n := range list {
		text = append(text, strconv.Itoa(n))
	}
	return strings.Join(text, ", ")
}
