package nvent

import (
	"context"
	"errors"
	"fmt"

	"github.com/nvent-go/nvent/adapter"
)

// SortOrder is the direction of a list.
type SortOrder string

// The directions. The empty one is ascending.
const (
	Ascending  SortOrder = "asc"
	Descending SortOrder = "desc"
)

// maxOffset is how many documents a list may skip. Each of them is read.
const maxOffset = 10_000

// ListOptions selects documents. Zero fields do not select.
type ListOptions struct {
	Limit int // 0 = 100
	// Offset skips documents by reading them, at most 10,000. To read on, pass the Next of a page as Cursor instead.
	Offset int
	Cursor string

	// SortBy is a top-level key, and Where are top-level keys with the values that they must have (string, bool, number).
	// Together they must be an index of the collection: see [Store.Declare]. Without SortBy documents come by ID.
	SortBy    string
	SortOrder SortOrder
	Where     map[string]any
	From, To  any // inclusive bounds of SortBy; nil = open
}

// List returns documents, a page at a time. What no declared index of the collection covers is ErrUnsupported.
func (s *Store) List(ctx context.Context, collection string, o ListOptions) (Page[Document], error) {
	const op = "list"
	if err := checkList(collection, o); err != nil {
		return Page[Document]{}, wrap(s.name, op, err)
	}
	q := adapter.Query{
		Where: o.Where, Order: o.SortBy, From: o.From, To: o.To, Desc: o.SortOrder == Descending, Cursor: o.Cursor,
	}
	for skip := o.Offset; skip > 0; {
		q.Limit = min(skip, 1000)
		page, err := s.driver.List(ctx, collection, q)
		if err != nil {
			return Page[Document]{}, wrap(s.name, op, listError(collection, err))
		}
		if page.Next == "" {
			return Page[Document]{}, nil
		}
		skip -= len(page.Items)
		q.Cursor = page.Next
	}
	q.Limit = o.Limit
	page, err := s.driver.List(ctx, collection, q)
	if err != nil {
		return Page[Document]{}, wrap(s.name, op, listError(collection, err))
	}
	docs := make([]Document, len(page.Items))
	for i, d := range page.Items {
		docs[i] = shownDocument(d)
	}
	return Page[Document]{Items: docs, Next: page.Next}, nil
}

func checkList(collection string, o ListOptions) error {
	if err := checkName("collection", collection); err != nil {
		return err
	}
	switch {
	case o.Limit < 0 || o.Limit > maxPage:
		return fmt.Errorf("%w: limit %d: use 1 to %d, or 0 for the default", ErrInvalid, o.Limit, maxPage)
	case o.Offset < 0 || o.Offset > maxOffset:
		return hinted(fmt.Errorf("%w: offset %d: use 0 to %d", ErrInvalid, o.Offset, maxOffset),
			"read on with Cursor: it skips nothing")
	case o.Offset > 0 && o.Cursor != "":
		return fmt.Errorf("%w: there is an offset and a cursor; use one", ErrInvalid)
	case o.SortOrder != "" && o.SortOrder != Ascending && o.SortOrder != Descending:
		return fmt.Errorf("%w: sort order %q: use asc or desc", ErrInvalid, o.SortOrder)
	case o.SortBy == "" && (o.From != nil || o.To != nil):
		return fmt.Errorf("%w: From and To are bounds of SortBy, which is empty", ErrInvalid)
	}
	return nil
}

func listError(collection string, err error) error {
	err = about("collection "+collection, err)
	if errors.Is(err, ErrUnsupported) {
		return hinted(err, "Declare an index of the collection with the keys of Where in Equal, and SortBy as Order")
	}
	return err
}
