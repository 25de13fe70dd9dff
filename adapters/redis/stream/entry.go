package stream

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapter"
)

// fields returns a message as the fields of an entry.
func fields(m *adapter.Message) ([]string, error) {
	f := make([]string, 0, 8)
	f = append(f, "d", rueidis.BinaryString(m.Data))
	if m.Key != "" {
		f = append(f, "k", m.Key)
	}
	for name, values := range map[string]map[string]string{"h": m.Headers, "l": m.Labels} {
		if len(values) == 0 {
			continue
		}
		text, err := json.Marshal(values)
		if err != nil {
			return nil, fmt.Errorf("encode message: %w", err)
		}
		f = append(f, name, string(text))
	}
	return f, nil
}

// message returns an entry as a message.
func message(topic, id string, values map[string]string, delivery int) (*adapter.Message, error) {
	m := &adapter.Message{ID: id, Topic: topic, Key: values["k"], Data: json.RawMessage(values["d"]), At: at(id), Delivery: delivery}
	for name, to := range map[string]*map[string]string{"h": &m.Headers, "l": &m.Labels} {
		if text := values[name]; text != "" {
			if err := json.Unmarshal([]byte(text), to); err != nil {
				return nil, fmt.Errorf("entry %s of topic %s: field %s: %w", id, topic, name, err)
			}
		}
	}
	return m, nil
}

// at returns when the server got the entry of an ID.
func at(id string) time.Time {
	ms, _, _ := strings.Cut(id, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

// isID reports whether a text is the ID of a message: two numbers.
func isID(text string) bool {
	ms, seq, ok := strings.Cut(text, "-")
	_, err1 := strconv.ParseUint(ms, 10, 64)
	_, err2 := strconv.ParseUint(seq, 10, 64)
	return ok && err1 == nil && err2 == nil
}

// entries returns the messages of a reply of XREAD or XREADGROUP for one topic. No reply is none.
func entries(topic string, r rueidis.RedisResult, delivery int) ([]*adapter.Message, error) {
	streams, err := r.AsXRead()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []*adapter.Message
	for _, list := range streams {
		for _, e := range list {
			m, err := message(topic, e.ID, e.FieldValues, delivery)
			if err != nil {
				return nil, err
			}
			found = append(found, m)
		}
	}
	return found, nil
}

// claimed returns the messages of a reply of the claim script.
func claimed(topic string, r rueidis.RedisResult) ([]*adapter.Message, error) {
	list, err := r.ToArray()
	if err != nil {
		return nil, err
	}
	var found []*adapter.Message
	for i := range list {
		parts, err := list[i].ToArray()
		if err != nil {
			return nil, err
		}
		if len(parts) != 3 {
			return nil, errors.New("an entry that was taken over has not three parts")
		}
		id, err := parts[0].ToString()
		if err != nil {
			return nil, err
		}
		delivery, err := parts[1].AsInt64()
		if err != nil {
			return nil, err
		}
		values, err := parts[2].AsStrMap()
		if err != nil {
			return nil, err
		}
		m, err := message(topic, id, values, int(delivery))
		if err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	return found, nil
}
