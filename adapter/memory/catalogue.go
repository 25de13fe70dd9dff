package memory

import (
	"cmp"
	"slices"
)

const chunkSize = 256

// catalogue holds all jobs of a queue in the order in which they were made, and finds them by label.
type catalogue struct {
	next   uint64
	chunks []*chunk // ascending; without the ones that are empty, except the last
	labels map[label]map[*job]struct{}
}

// chunk holds the jobs made as number first and the ones after that.
type chunk struct {
	first uint64
	jobs  [chunkSize]*job
	len   int
}

type label struct{ name, value string }

func (c *catalogue) add(j *job) {
	c.next++
	j.made = c.next
	if first := j.made - j.made%chunkSize; len(c.chunks) == 0 || c.chunks[len(c.chunks)-1].first != first {
		if last := len(c.chunks) - 1; last >= 0 && c.chunks[last].len == 0 {
			c.chunks = c.chunks[:last]
		}
		c.chunks = append(c.chunks, &chunk{first: first})
	}
	j.chunk = c.chunks[len(c.chunks)-1]
	j.chunk.jobs[j.made%chunkSize] = j
	j.chunk.len++
	for name, value := range j.spec.Labels {
		if c.labels == nil {
			c.labels = map[label]map[*job]struct{}{}
		}
		l := label{name, value}
		if c.labels[l] == nil {
			c.labels[l] = map[*job]struct{}{}
		}
		c.labels[l][j] = struct{}{}
	}
}

func (c *catalogue) remove(j *job) {
	j.chunk.jobs[j.made%chunkSize] = nil
	if j.chunk.len--; j.chunk.len == 0 && j.chunk != c.chunks[len(c.chunks)-1] {
		i := c.find(j.made)
		c.chunks = slices.Delete(c.chunks, i, i+1)
	}
	for name, value := range j.spec.Labels {
		l := label{name, value}
		if delete(c.labels[l], j); len(c.labels[l]) == 0 {
			delete(c.labels, l)
		}
	}
}

// find returns the index of the chunk that holds number made, or of the first one after that.
func (c *catalogue) find(made uint64) int {
	i, _ := slices.BinarySearchFunc(c.chunks, made-made%chunkSize, func(k *chunk, first uint64) int { return cmp.Compare(k.first, first) })
	return i
}

// walk calls visit for jobs made after a number (desc: before it, latest first) until visit returns false.
func (c *catalogue) walk(from uint64, desc bool, visit func(*job) bool) {
	i, step := c.find(from), 1
	if desc {
		step = -1
		if i == len(c.chunks) || c.chunks[i].first > from {
			i--
		}
	}
	for ; i >= 0 && i < len(c.chunks); i += step {
		jobs := &c.chunks[i].jobs
		for k := range chunkSize {
			if desc {
				k = chunkSize - 1 - k
			}
			j := jobs[k]
			if j == nil || !beyond(j, from, desc) {
				continue
			}
			if !visit(j) {
				return
			}
		}
	}
}

// beyond reports whether a job comes after number from in the direction of a list.
func beyond(j *job, from uint64, desc bool) bool {
	if desc {
		return j.made < from
	}
	return j.made > from
}
