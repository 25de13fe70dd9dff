package sqlite

import (
	"encoding/json"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// Conn is a connection to the database that prepares each statement once. One goroutine at a time may use it.
type Conn struct {
	db    *sqlite3.Conn
	stmts map[string]*sqlite3.Stmt
	wrote bool // some statement has changed something since the transaction began
}

// NewConn returns a Conn over a connection that somebody else has opened, and closes.
func NewConn(db *sqlite3.Conn) *Conn { return &Conn{db: db, stmts: map[string]*sqlite3.Stmt{}} }

func (c *Conn) stmt(query string, args []any) (*sqlite3.Stmt, error) {
	s := c.stmts[query]
	if s == nil {
		var err error
		if s, _, err = c.db.PrepareFlags(query, sqlite3.PREPARE_PERSISTENT); err != nil {
			return nil, fmt.Errorf("prepare %q: %w", query, err)
		}
		c.stmts[query] = s
	}
	for i, arg := range args {
		if err := bind(s, i+1, arg); err != nil {
			return nil, fmt.Errorf("bind parameter %d of %q: %w", i+1, query, err)
		}
	}
	return s, nil
}

func bind(s *sqlite3.Stmt, n int, arg any) error {
	switch v := arg.(type) {
	case nil:
		return s.BindNull(n)
	case int64:
		return s.BindInt64(n, v)
	case int:
		return s.BindInt64(n, int64(v))
	case string:
		return s.BindText(n, v)
	case json.RawMessage:
		if v == nil {
			return s.BindNull(n)
		}
		return s.BindRawText(n, v)
	case []byte:
		return s.BindBlob(n, v)
	}
	return fmt.Errorf("a %T cannot be a parameter", arg)
}

// Exec runs a statement and returns how many rows it has changed.
func (c *Conn) Exec(query string, args ...any) (int64, error) {
	s, err := c.stmt(query, args)
	if err != nil {
		return 0, err
	}
	for s.Step() { // rows that nobody asked for
	}
	if err := s.Reset(); err != nil {
		return 0, fmt.Errorf("run %q: %w", query, err)
	}
	n := c.db.Changes()
	c.wrote = true
	return n, nil
}

// Query runs a statement and calls row for each row of its result. row must not run the same statement. Its error ends the
// query.
func (c *Conn) Query(query string, row func(Row) error, args ...any) error {
	s, err := c.stmt(query, args)
	if err != nil {
		return err
	}
	for s.Step() {
		if err = row(Row{s}); err != nil {
			break
		}
	}
	if failed := s.Reset(); failed != nil && err == nil {
		err = fmt.Errorf("run %q: %w", query, failed)
	}
	return err
}

// One runs a query of which the first row counts, and reports whether there was one.
func (c *Conn) One(query string, row func(Row), args ...any) (found bool, err error) {
	s, err := c.stmt(query, args)
	if err != nil {
		return false, err
	}
	if found = s.Step(); found {
		row(Row{s})
	}
	if err := s.Reset(); err != nil {
		return false, fmt.Errorf("run %q: %w", query, err)
	}
	return found, nil
}

// Script runs several statements that are not kept prepared.
func (c *Conn) Script(sql string) error {
	if err := c.db.Exec(sql); err != nil {
		return fmt.Errorf("run %q: %w", firstLine(sql), err)
	}
	return nil
}

// Int returns the first column of the first row of a query; 0 if there is none.
func (c *Conn) Int(query string, args ...any) (n int64, err error) {
	_, err = c.One(query, func(r Row) { n = r.Int(0) }, args...)
	return n, err
}

// Steps returns how many rows the statements of this connection have stepped over in full scans, and how many instructions
// of the virtual machine they have run. It is for tests that prove what an operation costs.
func (c *Conn) Steps() (scanned, instructions int) {
	for _, s := range c.stmts {
		scanned += s.Status(sqlite3.STMTSTATUS_FULLSCAN_STEP, false)
		instructions += s.Status(sqlite3.STMTSTATUS_VM_STEP, false)
	}
	return scanned, instructions
}

// Statements returns the statements that have been prepared.
func (c *Conn) Statements() []string {
	var list []string
	for query := range c.stmts {
		list = append(list, query)
	}
	return list
}

// Finish closes the statements, but not the connection.
func (c *Conn) Finish() error {
	var first error
	for query, s := range c.stmts {
		if err := s.Close(); err != nil && first == nil {
			first = err
		}
		delete(c.stmts, query)
	}
	return first
}

func (c *Conn) close() error {
	first := c.Finish()
	if err := c.db.Close(); first == nil {
		first = err
	}
	return first
}

// Row is a row of a result. It is valid until the function that got it returns.
type Row struct{ s *sqlite3.Stmt }

// Int returns a column as a number; NULL is 0.
func (r Row) Int(col int) int64 { return r.s.ColumnInt64(col) }

// Text returns a column as text; NULL is empty.
func (r Row) Text(col int) string { return r.s.ColumnText(col) }

// JSON returns a copy of a column of JSON text; NULL is nil.
func (r Row) JSON(col int) json.RawMessage {
	raw := r.s.ColumnRawText(col)
	if raw == nil {
		return nil
	}
	return append(make(json.RawMessage, 0, len(raw)), raw...)
}

// Blob returns a copy of a column of bytes; NULL is nil.
func (r Row) Blob(col int) []byte { return r.s.ColumnBlob(col, nil) }

// Null reports whether a column is NULL.
func (r Row) Null(col int) bool { return r.s.ColumnType(col) == sqlite3.NULL }

func firstLine(text string) string {
	if len(text) > 60 {
		return text[:60] + "..."
	}
	return text
}
