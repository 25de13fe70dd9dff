package nvent

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nvent-go/nvent/adapter"
)

// defaultMaxPayload is how large the JSON of one payload may be, in bytes, unless configured.
const defaultMaxPayload = 1 << 20

// maxErrorText is how much of a handler's error a queue keeps, in bytes.
const maxErrorText = 16 << 10

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

// errorText returns what a queue keeps of a handler's error: bounded, and text that every backend can store.
func errorText(err error) string {
	text := err.Error()
	if len(text) > maxErrorText {
		const cut = "\n... (cut)"
		text = text[:maxErrorText-len(cut)] + cut
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
