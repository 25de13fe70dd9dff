package file

import (
	"context"

	"github.com/nvent-go/nvent/adapter/file/internal/sqlite"
)

// WriterCost returns what the statements of the writer have cost so far: rows that they have scanned, and instructions.
func (b *Backend) WriterCost() (scanned, instructions int) {
	_ = b.db.Write(context.Background(), true, func(tx *sqlite.Tx) error {
		scanned, instructions = tx.Steps()
		return nil
	})
	return scanned, instructions
}

// WriterStatements returns the statements that the writer and a reader have run.
func (b *Backend) WriterStatements() (list []string) {
	_ = b.db.Write(context.Background(), true, func(tx *sqlite.Tx) error {
		list = append(list, tx.Statements()...)
		return nil
	})
	_ = b.db.Read(context.Background(), func(c *sqlite.Conn) error {
		list = append(list, c.Statements()...)
		return nil
	})
	return list
}
