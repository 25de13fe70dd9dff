package nvent

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/nvent-go/nvent/adapter"
)

// defaultMaxPayload is how large the JSON of one payload may be, in bytes, unless configured.
const defaultMaxPayload = 1 << 20

// maxText is how much of a handler's error, or of a line of its log, is kept, in bytes.
const maxText = 16 << 10

// encodeJSON returns v as JSON that every backend can keep, at most limit bytes of it. A json.RawMessage is taken as it is,
// nil as null.
func encodeJSON(v any, limit int) (json.RawMessage, error) {
	var raw json.RawMessage
	switch v := v.(type) {
	case json.RawMessage:
		if raw = v; v == nil {
			raw = json.RawMessage("null")
		}
	default:
		var err error
		if raw, err = json.Marshal(v); err != nil {
			return nil, fmt.Errorf("%w: encode %T as JSON: %w", ErrInvalid, v, err)
		}
	}
	return raw, checkPayload(raw, limit)
}

// checkPayload returns an error unless raw is JSON that every backend can keep, and of at most limit bytes.
func checkPayload(raw json.RawMessage, limit int) error {
	if len(raw) > limit {
		return hinted(fmt.Errorf("payload of %d bytes: %w", len(raw), ErrTooLarge),
			fmt.Sprintf("the limit is %d; pass a reference to the data instead, or raise limits.payload", limit))
	}
	return adapter.Validate(raw)
}

// storableText returns text that every backend can store, and not too much of it.
func storableText(text string) string {
	if len(text) > maxText {
		const cut = "\n... (cut)"
		text = text[:maxText-len(cut)] + cut
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// maxHeaderError is how much of an error a header carries, in bytes.
const maxHeaderError = 1024

// headerText returns an error as the value of a header: one line, and bounded.
func headerText(err error) string {
	text, _, _ := strings.Cut(storableText(err.Error()), "\n")
	if len(text) > maxHeaderError {
		text = strings.ToValidUTF8(text[:maxHeaderError], "")
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}
