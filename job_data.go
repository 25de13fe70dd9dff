package nvent

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// reservedData is the key that tells a step's job from a plain one.
const reservedData = "nvent"

// encodeJobData encodes the data of a plain job, and refuses what a worker would take for a step of a flow.
func encodeJobData(v any, limit int) (json.RawMessage, error) {
	raw, err := encodeJSON(v, limit)
	if err != nil {
		return nil, err
	}
	return raw, checkJobData(raw)
}

func checkJobData(raw json.RawMessage) error {
	if !bytes.Contains(raw, []byte(`"`+reservedData+`"`)) {
		return nil
	}
	var step struct {
		Nvent struct {
			Token json.RawMessage `json:"token"`
		} `json:"nvent"`
	}
	if json.Unmarshal(raw, &step) == nil && step.Nvent.Token != nil {
		return hinted(fmt.Errorf("%w: the data has a token under %q, which marks the steps of flows", ErrInvalid, reservedData),
			"rename that key; to start a step, start its flow")
	}
	return nil
}
