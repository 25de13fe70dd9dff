package file

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// Report is what [Check] has found.
type Report struct {
	Schema       int   // version of the schema
	Pages        int64 // of the file, each of 4,096 bytes
	Commits      int64 // durable commits that the database has
	Acknowledged int64 // durable commits that were acknowledged, as far as is known
	Jobs         map[adapter.JobState]int64
	Docs         int64
	Logs         int64
	Records      int64
	Keys         int64
	Topics       int64
	Messages     int64
	Problems     []string // what is wrong, for people to read
}

// maxProblems is how many problems a report lists.
const maxProblems = 100

// Check reads everything in a directory: that the checksums of pages and rows match, that the indexes agree with the tables,
// that logs have no gaps, that counts are right, and that the last commit that was acknowledged is there. It changes
// nothing, and processes may use the directory meanwhile. It blocks for as long as that takes, about a second for each
// 100 MB, or until ctx ends.
//
// When something is wrong the report lists it, and the error wraps [ErrCorrupt] or [ErrLostTail]. A file that is no database
// of this package gives [ErrForeign], one of a newer version [ErrNewer].
func Check(ctx context.Context, dir string) (r Report, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return r, fail("check", err)
	}
	i, err := sqlite.Inspect(ctx, abs, len(migrations))
	if err != nil {
		return r, fail("check", err)
	}
	defer func() {
		if failed := i.Close(); err == nil && failed != nil {
			err = fail("check", failed)
		}
	}()
	c := &checker{Inspection: i, ctx: ctx, r: &r}
	r.Schema, r.Commits, r.Acknowledged = int(i.Schema), i.Commits, i.Counted
	r.Jobs = map[adapter.JobState]int64{}
	if err := c.all(); err != nil {
		return r, fail("check", err)
	}
	if i.Known && i.Commits < i.Counted {
		c.problem("the database ends with commit %d, but commit %d was acknowledged", i.Commits, i.Counted)
		return r, fail("check", fmt.Errorf("%w: commit %d of %d", ErrLostTail, i.Commits, i.Counted))
	}
	if len(r.Problems) > 0 {
		return r, fail("check", fmt.Errorf("%w: %d problems, the first: %s", ErrCorrupt, len(r.Problems), r.Problems[0]))
	}
	return r, nil
}

// Backup copies what is in a directory, as of one moment, into another one, which is made or must be empty. Processes may use
// the directory meanwhile. It blocks until the copy is on disk and has passed [Check]. To restore a backup, use its
// directory, or a copy of all that is in it.
func Backup(ctx context.Context, dir, to string) error {
	from, err := filepath.Abs(dir)
	if err == nil {
		to, err = filepath.Abs(to)
	}
	if err == nil {
		err = sqlite.Backup(ctx, from, to, len(migrations))
	}
	if err == nil {
		_, err = Check(ctx, to)
	}
	if err != nil {
		return fail("back up", err)
	}
	return nil
}

// checker is a check that runs.
type checker struct {
	*sqlite.Inspection
	ctx context.Context
	r   *Report
	cat *catalogue
}

func (c *checker) problem(format string, args ...any) {
	if len(c.r.Problems) < maxProblems {
		c.r.Problems = append(c.r.Problems, fmt.Sprintf(format, args...))
	}
}

// all checks everything. What cannot be read is a problem as well, and does not keep the rest from being looked at.
func (c *checker) all() (err error) {
	c.r.Pages, err = c.Pages(c.ctx, func(page int64) { c.problem("the checksum of page %d does not match", page) })
	if err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"structure", c.structure}, {"jobs", c.jobs}, {"documents", c.docs}, {"logs", c.logs}, {"records", c.records}, {"keys", c.keys},
		{"messages", c.messages},
	} {
		if err := c.ctx.Err(); err != nil {
			return context.Cause(c.ctx)
		}
		if err := step.do(); err != nil {
			_, explained := sqlite.Explain(err)
			c.problem("%s: %v", step.what, explained)
		}
	}
	return nil
}

func (c *checker) structure() error {
	return c.Query("PRAGMA integrity_check(100)", func(r sqlite.Row) error {
		if text := r.Text(0); text != "ok" {
			c.problem("%s", text)
		}
		return nil
	})
}

// sound notes a problem unless a row was read well. It ends the scan when ctx has ended.
func (c *checker) sound(err error) error {
	if errors.Is(err, ErrCorrupt) {
		c.problem("%v", err)
		err = nil
	}
	if err == nil && c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return err
}

func (c *checker) jobs() error {
	type key struct{ queue, state int64 }
	counts := map[key]int64{}
	var cache optionCache
	err := c.Query("SELECT "+jobColumns+" FROM jobs j", func(r sqlite.Row) error {
		row := scanJob(r)
		if row.state < 0 || row.state >= states {
			c.problem("job %s has state %d", row.id, row.state)
			return nil
		}
		counts[key{row.queue, row.state}]++
		c.r.Jobs[stateNames[row.state]]++
		_, err := row.job(fmt.Sprint(row.queue), &cache)
		return c.sound(err)
	})
	if err != nil {
		return err
	}
	return c.Query("SELECT id, name, waiting, delayed, active, completed, failed FROM queues", func(r sqlite.Row) error {
		for state := range int64(states) {
			if have, noted := counts[key{r.Int(0), state}], r.Int(2+int(state)); have != noted {
				c.problem("queue %q has %d %s jobs, but counts %d", r.Text(1), have, stateNames[state], noted)
			}
		}
		return nil
	})
}

func (c *checker) docs() error {
	var err error
	if c.cat, err = loadCatalogue(c.Conn); err != nil {
		return err
	}
	postings := int64(0)
	for _, col := range c.cat.list {
		type posting struct {
			key []byte
			id  string
		}
		var wanted []posting
		err := c.Query("SELECT d.id, "+docColumns+" FROM docs d WHERE d.collection = ?", func(r sqlite.Row) error {
			c.r.Docs++
			row := scanDoc(r, 1)
			if _, err := row.doc(col, r.Text(0)); err != nil {
				return c.sound(err)
			}
			keys, err := col.keys(r.Text(0), row.body)
			for _, key := range keys {
				wanted = append(wanted, posting{key, r.Text(0)})
			}
			if err != nil {
				c.problem("%v", err)
			}
			return c.sound(nil)
		}, col.id)
		if err != nil {
			return err
		}
		for _, p := range wanted {
			n, err := c.Int("SELECT count(*) FROM postings WHERE key = ? AND id = ?", p.key, p.id)
			if err != nil {
				return err
			}
			if n != 1 {
				c.problem("document %s/%s is not in an index that it belongs to", col.name, p.id)
			}
		}
		postings += int64(len(wanted))
	}
	have, err := c.Int("SELECT count(*) FROM postings")
	if err == nil && have != postings {
		c.problem("the indexes of documents have %d entries, want %d", have, postings)
	}
	return err
}

// logs checks that each log has the records that it says it has.
func (c *checker) logs() error {
	return c.Query(`SELECT l.subject, l.first, l.last, count(r.seq), coalesce(min(r.seq), l.last + 1), coalesce(max(r.seq), l.last)
		FROM logs l LEFT JOIN records r ON r.log = l.id GROUP BY l.subject`, func(r sqlite.Row) error {
		c.r.Logs++
		first, last, n := r.Int(1), r.Int(2), r.Int(3)
		if n != last-first+1 || r.Int(4) != first || r.Int(5) != last {
			c.problem("log %s says it has records %d to %d, but has %d, from %d to %d", r.Text(0), first, last, n, r.Int(4), r.Int(5))
		}
		return c.sound(nil)
	})
}

func (c *checker) records() error {
	return c.Query("SELECT "+recordColumns+", log FROM records", func(r sqlite.Row) error {
		c.r.Records++
		_, err := scanRecord(fmt.Sprintf("number %d", r.Int(13)), r.Int(13), r)
		return c.sound(err)
	})
}

func (c *checker) keys() error {
	return c.Query("SELECT key, value, gone, sum FROM keys", func(r sqlite.Row) error {
		c.r.Keys++
		if r.Int(3) != keySum(r.Text(0), r.JSON(1), r.Int(2)) {
			return c.sound(damaged("key %q", r.Text(0)))
		}
		return c.sound(nil)
	})
}

func (c *checker) messages() error {
	var topics []topicRow
	err := c.Query("SELECT id, first, next, name FROM topics", func(r sqlite.Row) error {
		topics = append(topics, topicRow{r.Int(0), r.Int(1), r.Int(2), r.Text(3)})
		return nil
	})
	c.r.Topics = int64(len(topics))
	for _, t := range topics {
		for from := t.first; err == nil && from < t.next; {
			var numbers []int64
			_, numbers, err = readMessages(c.Conn, t.id, t.name, from, 1000)
			if errors.Is(err, ErrCorrupt) {
				c.problem("%v", err)
				err, from = nil, from+int64(len(numbers))+1 // go on after the damaged one
				c.r.Messages += int64(len(numbers)) + 1
				continue
			}
			if len(numbers) == 0 || !slices.Contains(numbers, from) {
				c.problem("topic %q has lost message %d", t.name, from)
				break
			}
			c.r.Messages += int64(len(numbers))
			from = numbers[len(numbers)-1] + 1
		}
	}
	return err
}
