package memory

import (
	"slices"
	"sort"
	"strings"
)

const (
	maxBlock = 256 // entries: then a block is split in two
	minBlock = 32  // entries: then it is merged with a neighbour that has room
)

// posting is an entry of a sorted list: what it is sorted by, and the document or key that it leads to.
type posting struct {
	value value // of the order field; none in lists that are sorted by ID
	id    string
	entry *entry
}

func (p *posting) compare(o *posting) int {
	if c := p.value.compare(o.value); c != 0 {
		return c
	}
	return strings.Compare(p.id, o.id)
}

// sorted is a list of postings in order, kept in blocks that are small enough to insert into.
type sorted struct {
	key    string       // of the index's lists, if it is one of them
	blocks [][]*posting // none is empty
	len    int
}

// block returns the index of the first block that ends with p or after it.
func (s *sorted) block(p *posting) int {
	return sort.Search(len(s.blocks), func(i int) bool {
		b := s.blocks[i]
		return b[len(b)-1].compare(p) >= 0
	})
}

func (s *sorted) insert(p *posting) {
	s.len++
	if len(s.blocks) == 0 {
		s.blocks = append(s.blocks, append(make([]*posting, 0, 8), p))
		return
	}
	i := len(s.blocks) - 1
	b := s.blocks[i]
	k := len(b)
	if b[k-1].compare(p) > 0 { // most come in order
		i = s.block(p)
		b = s.blocks[i]
		k, _ = slices.BinarySearchFunc(b, p, (*posting).compare)
	}
	b = slices.Insert(b, k, p)
	s.blocks[i] = b
	if len(b) > maxBlock {
		// What comes in order fills blocks to the brim; else they are halved.
		half := len(b) / 2
		if k == len(b)-1 && i == len(s.blocks)-1 {
			half = len(b) - 1
		}
		s.blocks = slices.Insert(s.blocks, i+1, slices.Clone(b[half:]))
		clear(b[half:])
		s.blocks[i] = b[:half]
	}
}

func (s *sorted) remove(p *posting) {
	i := s.block(p)
	if i == len(s.blocks) {
		return
	}
	k, found := slices.BinarySearchFunc(s.blocks[i], p, (*posting).compare)
	if !found {
		return
	}
	s.len--
	b := slices.Delete(s.blocks[i], k, k+1)
	s.blocks[i] = b
	if len(b) == 0 {
		s.blocks = slices.Delete(s.blocks, i, i+1)
		return
	}
	if i+1 < len(s.blocks) && len(b) < minBlock && len(b)+len(s.blocks[i+1]) <= maxBlock/2 {
		s.blocks[i] = append(b, s.blocks[i+1]...)
		s.blocks = slices.Delete(s.blocks, i+1, i+2)
	}
}

// place is a position in a sorted list, between or at its ends.
type place struct {
	list  *sorted
	block int
	index int
}

// seek returns the place behind the postings for which before is true. They must be the first ones of the list.
func (s *sorted) seek(before func(*posting) bool) place {
	i := sort.Search(len(s.blocks), func(i int) bool {
		b := s.blocks[i]
		return !before(b[len(b)-1])
	})
	if i == len(s.blocks) {
		return s.end()
	}
	b := s.blocks[i]
	return place{s, i, sort.Search(len(b), func(k int) bool { return !before(b[k]) })}
}

func (s *sorted) begin() place { return place{list: s} }

func (s *sorted) end() place { return place{s, len(s.blocks), 0} }

// next returns the posting behind the place and moves past it, or nil at the end.
func (p *place) next() *posting {
	if p.block >= len(p.list.blocks) {
		return nil
	}
	b := p.list.blocks[p.block]
	found := b[p.index]
	if p.index++; p.index == len(b) {
		p.block, p.index = p.block+1, 0
	}
	return found
}

// previous returns the posting before the place and moves before it, or nil at the beginning.
func (p *place) previous() *posting {
	if p.index == 0 {
		if p.block == 0 {
			return nil
		}
		p.block--
		p.index = len(p.list.blocks[p.block])
	}
	p.index--
	return p.list.blocks[p.block][p.index]
}
