package adapter

import (
	"context"
	"encoding/json"
	"io"
	"time"
)

// Store keeps three things: append-only logs, versioned documents, and keys.
//
// Its heart is Commit: an atomic batch within one partition, guarded by versions. Two commits that check or write the same
// document never both succeed from the same version, and a reader sees all of a commit or none of it.
type Store interface {
	Info() Info

	// Declare makes collections and their indexes known. It is idempotent, and called before the first document of a
	// collection is written. Declaring an index for a collection that has documents builds it.
	Declare(ctx context.Context, c ...Collection) error

	// Commit applies a batch: all of it or, on any error, none of it. A failed expectation returns a [*Conflict] with the
	// current documents; a document or log outside the batch's partition returns [ErrCrossPartition].
	// [ErrUnavailable] and context errors leave the outcome unknown.
	Commit(ctx context.Context, b Batch) (Committed, error)

	// Get returns the documents with these IDs, in any order. Missing and expired ones are left out.
	Get(ctx context.Context, collection string, ids ...string) ([]Doc, error)

	// List returns the documents that match q, a page at a time. The fields of q must be those of a declared index of the
	// collection (or none: then all documents, by ID); anything else returns [ErrUnsupported].
	List(ctx context.Context, collection string, q Query) (Page[Doc], error)

	// Count returns how many documents match q (its cursor and limit aside), and whether the number is exact.
	Count(ctx context.Context, collection string, q Query) (n int64, exact bool, err error)

	// Read returns records of a log in the order of seq (Backward: latest first). A log that does not exist is empty. When
	// records that r asks for have been removed by retention it returns a [*Trimmed].
	Read(ctx context.Context, subject string, r Range) ([]Record, error)

	// KV returns the keys.
	KV() KV

	// Now returns the store's clock. Deadlines are compared with it, never with a host's.
	Now(ctx context.Context) (time.Time, error)

	// Purge removes what has expired, at most limit things a call, and returns how many it removed: repeat until 0. What
	// has expired is invisible before it is purged; a backend that expires by itself returns 0.
	Purge(ctx context.Context, limit int) (int, error)

	// Close frees what the adapter opened.
	io.Closer
}

// Version is the version of a document: opaque, positive, growing with every write of the document, and never used again
// for the same ID, not even after the document was deleted or has expired.
type Version int64

// Expectations that are no version.
const (
	Absent     Version = 0  // must not exist
	AnyVersion Version = -1 // whatever is there
)

// Doc is a document, or in a batch what to write and at which version.
type Doc struct {
	Collection, ID string
	Version        Version
	Body           json.RawMessage // a JSON object
	ExpireAt       time.Time       // store clock; zero = kept until deleted, or until its partition expires
}

// Record is an entry of a log. The core gives the fields their meaning; a store keeps them all.
type Record struct {
	Seq       uint64    // assigned by the store: 1, 2, 3, ... within a subject, without gaps
	At        time.Time // store clock at the commit, to the millisecond or finer
	Causes    []uint64  // seqs of records of the same subject
	Epoch     int
	Scope     string
	Iteration int
	Attempt   int
	Type      string
	Flow      string
	Step      string
	Key       string
	Data      json.RawMessage // may be nil
}

// Batch is a set of changes that happen together or not at all. Everything in it lives in one partition: see [Partition].
type Batch struct {
	Partition string
	Checks    []Doc // Collection, ID, Version: must hold, nothing is written
	Puts      []Doc // written if Version holds
	Deletes   []Doc // Collection, ID, Version: deleted if Version holds; deleting what is absent is not an error with AnyVersion
	Appends   []Append
	Drops     []string // subjects whose log is removed; its seqs are not used again
	Expire    *Expiry  // nil: as it was
}

// Expiry is when what lives in a partition vanishes. Zero times keep it. It covers what the partition holds when it comes
// due, later writes included.
type Expiry struct {
	Docs time.Time // documents and logs
	Logs time.Time // logs alone, if earlier: they are then trimmed, and reading them returns ErrTrimmed
}

// Append adds records to the log of a subject, in their order. Seq and At are ignored.
type Append struct {
	Subject string
	Records []Record
}

// Committed is what a commit did.
type Committed struct {
	Versions []Version // of Puts, aligned
	FirstSeq []uint64  // of the first record of each of Appends, aligned
	Now      time.Time // store clock of the commit: At of its records
}

// Collection is a named set of documents and what they can be found by.
type Collection struct {
	Name    string
	Indexes []Index
}

// Index finds documents by equality of Equal and, if Order is not empty, in its order. Fields are top-level keys of the
// body. A document that lacks one of the fields (or has null there) is not in the index. An Equal field that holds an array
// of strings matches each of its elements. Values are strings, booleans and numbers; Order values are strings (compared by
// bytes) or numbers, of one kind within a collection.
type Index struct {
	Equal []string
	Order string
}

// Query selects documents by a declared index: the keys of Where are the index's Equal, Order its Order.
type Query struct {
	Where    map[string]any // string, bool, or number
	Order    string         // documents come in this order, equal ones by ID; empty: by ID
	From, To any            // inclusive bounds of Order; nil = open
	Desc     bool
	Cursor   string // of the page before
	Limit    int    // 0 = 100
}

// Range selects records of a log.
type Range struct {
	After    uint64   // only records after this one (Backward: only records before it; 0 = from the end)
	Seqs     []uint64 // exactly these, in ascending order; After, Types and Limit do not apply
	Types    []string // only of these types
	Limit    int      // 0 = 1000
	Backward bool
}

// KV is a map of keys to small JSON values. Keys live on their own: they are not part of batches.
//
// Values come in canonical form (see [Canonical]), so drivers may compare bytes.
type KV interface {
	// Get returns the value, or an error that wraps [ErrNotFound].
	Get(ctx context.Context, key string) (json.RawMessage, error)
	// Set writes the value and reports whether it did: a condition of o that does not hold is not an error.
	Set(ctx context.Context, key string, v json.RawMessage, o SetOptions) (bool, error)
	// Delete removes the key; an unknown key is not an error.
	Delete(ctx context.Context, key string) error
	// Clear removes keys that begin with prefix, at most limit a call, and returns how many: repeat until 0.
	Clear(ctx context.Context, prefix string, limit int) (int, error)
}

// SetOptions are the conditions of KV.Set.
type SetOptions struct {
	TTL      time.Duration   // 0 = for ever; a Set without TTL removes an earlier one
	IfAbsent bool            // only if the key does not exist
	IfEquals json.RawMessage // only if the key has this value
}
