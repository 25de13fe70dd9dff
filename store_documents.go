package nvent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nvent-go/nvent/adapter"
)

// Version is the version of a document: opaque, and growing with every write.
type Version = adapter.Version

// versionKey is the key under which a document shows its version.
const versionKey = "_version"

// Document is a document of the store.
type Document struct {
	ID      string
	Version Version
	Body    json.RawMessage // a JSON object, with its version under "_version"
}

// Decode decodes the document. A field with the tag json:"_version" gets its version, which lets a changed value be saved
// again as it is.
func (d Document) Decode(v any) error {
	if err := json.Unmarshal(d.Body, v); err != nil {
		return fmt.Errorf("decode document %q as %T: %w", d.ID, v, err)
	}
	return nil
}

// DocumentOption is an option of [Store.Save] and [Store.Delete].
type DocumentOption struct{ version Version }

// IfVersion makes a save or a delete depend on the version of the document, for values that do not carry their _version.
// Zero means that there must be no document.
func IfVersion(v Version) DocumentOption { return DocumentOption{v} }

// Save writes a document and returns its new version. doc is anything that encodes as a JSON object.
//
// If doc has a _version that is not zero, or [IfVersion] is given, the document must be at this version. Otherwise it is
// created. When that does not hold, nothing is written, and the error is ErrConflict with the current document: nothing is
// ever overwritten unseen.
func (s *Store) Save(ctx context.Context, collection, id string, doc any, o ...DocumentOption) (Version, error) {
	const op = "save"
	expect, body, err := s.documentBody(doc, o)
	if err == nil {
		err = checkDocument(collection, id)
	}
	if err != nil {
		return 0, wrap(s.name, op, about(collection+"/"+id, err))
	}
	if err := s.ensureDeclared(ctx, collection); err != nil {
		return 0, wrap(s.name, op, err)
	}
	done, err := s.driver.Commit(ctx, adapter.Batch{
		Partition: adapter.Partition(ownPrefix + id),
		Puts:      []adapter.Doc{{Collection: collection, ID: ownPrefix + id, Version: expect, Body: body}},
	})
	if err != nil {
		return 0, wrap(s.name, op, documentError(collection, id, err))
	}
	return done.Versions[0], nil
}

// Get returns a document. A missing one is ErrNotFound.
func (s *Store) Get(ctx context.Context, collection, id string) (Document, error) {
	const op = "get"
	err := checkName("collection", collection)
	if err == nil {
		err = checkKey("ID of the document", id)
	}
	if err != nil {
		return Document{}, wrap(s.name, op, err)
	}
	docs, err := s.driver.Get(ctx, collection, storedID(collection, id))
	if err == nil && len(docs) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Document{}, wrap(s.name, op, about(collection+"/"+id, err))
	}
	return shownDocument(docs[0]), nil
}

// Delete removes a document. A missing one is not an error, unless [IfVersion] asks for it.
func (s *Store) Delete(ctx context.Context, collection, id string, o ...DocumentOption) error {
	const op = "delete"
	if err := checkDocument(collection, id); err != nil {
		return wrap(s.name, op, about(collection+"/"+id, err))
	}
	expect := adapter.AnyVersion
	for _, opt := range o {
		expect = opt.version
	}
	_, err := s.driver.Commit(ctx, adapter.Batch{
		Partition: adapter.Partition(ownPrefix + id),
		Deletes:   []adapter.Doc{{Collection: collection, ID: ownPrefix + id, Version: expect}},
	})
	if err != nil {
		return wrap(s.name, op, documentError(collection, id, err))
	}
	return nil
}

// documentBody encodes a document without its version, and returns the version that it expects.
func (s *Store) documentBody(doc any, o []DocumentOption) (expect Version, body json.RawMessage, err error) {
	body, err = encodeJSON(doc, s.o.maxPayload)
	if err != nil {
		return 0, nil, err
	}
	if body[0] != '{' {
		body = bytes.TrimLeft(body, " \t\r\n")
	}
	if body[0] != '{' {
		return 0, nil, hinted(fmt.Errorf("%w: %T is not a JSON object", ErrInvalid, doc),
			"save a struct or a map; the value may be a field of it")
	}
	if bytes.Contains(body, []byte(`"`+versionKey+`"`)) {
		if expect, body, err = cutVersion(body); err != nil {
			return 0, nil, err
		}
	}
	for _, opt := range o {
		if expect != adapter.Absent && expect != opt.version {
			return 0, nil, fmt.Errorf("%w: the document has %s %d, and IfVersion says %d", ErrInvalid, versionKey, expect, opt.version)
		}
		expect = opt.version
	}
	return expect, body, nil
}

// cutVersion takes the version out of a valid JSON object.
func cutVersion(body json.RawMessage) (Version, json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	raw, ok := fields[versionKey]
	if !ok {
		return 0, body, nil // it is a key further inside, or a value
	}
	delete(fields, versionKey)
	v := int64(0)
	if text := string(raw); text != "null" {
		var err error
		if v, err = strconv.ParseInt(text, 10, 64); err != nil || v < 0 {
			return 0, nil, hinted(fmt.Errorf("%w: %s is %.50s", ErrInvalid, versionKey, text),
				"it is the version that Get or Save returned")
		}
	}
	rest, err := json.Marshal(fields)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return Version(v), rest, nil
}

// shownDocument returns a stored document as users see it: with its own ID, and its version inside.
func shownDocument(d adapter.Doc) Document {
	body := append(make([]byte, 0, len(d.Body)+len(versionKey)+25), `{"`+versionKey+`":`...)
	body = strconv.AppendInt(body, int64(d.Version), 10)
	rest := bytes.TrimLeft(bytes.TrimLeft(d.Body, " \t\r\n")[1:], " \t\r\n")
	if rest[0] != '}' {
		body = append(body, ',')
	}
	return Document{ID: strings.TrimPrefix(d.ID, ownPrefix), Version: d.Version, Body: append(body, rest...)}
}

// documentError says which document an error of the driver is about. A conflict says so itself.
func documentError(collection, id string, err error) error {
	if errors.Is(err, ErrConflict) {
		return showOwnIDs(err)
	}
	return about(collection+"/"+id, err)
}

// showOwnIDs returns a conflict with the documents as users know them. Other errors pass.
func showOwnIDs(err error) error {
	var conflict *Conflict
	if !errors.As(err, &conflict) {
		return err
	}
	shown := &Conflict{Current: make([]adapter.Doc, len(conflict.Current))}
	for i, d := range conflict.Current {
		d.ID = strings.TrimPrefix(d.ID, ownPrefix)
		shown.Current[i] = d
	}
	return hinted(shown, "get the document, apply the change to it, and save it with its "+versionKey)
}

// storedID returns the ID of a document in the backend.
func storedID(collection, id string) string {
	if isReserved(collection) {
		return id
	}
	return ownPrefix + id
}

func checkDocument(collection, id string) error {
	if err := checkOwnCollection(collection); err != nil {
		return err
	}
	return checkKey("ID of the document", id)
}
