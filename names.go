package nvent

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits that hold on every adapter, so that what works on one works on all.
const (
	maxName        = 128 // bytes of the name of a queue, topic, group or collection
	maxKey         = 512 // bytes of a job's name, a document's ID, a subject, a key
	maxLabels      = 8
	maxLabelName   = 64
	maxLabelValue  = 256
	maxHeaderBytes = 16 << 10 // names and values of all headers together
)

// checkName returns an error unless name can be a queue, topic, group or collection everywhere.
func checkName(what, name string) error {
	bad := ""
	switch {
	case name == "":
		bad = "is empty"
	case len(name) > maxName:
		bad = fmt.Sprintf("%.20q... has %d bytes", name, len(name))
	case name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, ".."):
		bad = fmt.Sprintf("%q has a dot without a name beside it", name)
	default:
		for _, r := range name {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.' {
				bad = fmt.Sprintf("%q has a %q in it", name, r)
				break
			}
		}
	}
	if bad == "" {
		return nil
	}
	return hinted(fmt.Errorf("%w: the name of the %s %s", ErrInvalid, what, bad),
		fmt.Sprintf("use 1 to %d letters, digits, '-', '_' and '.' between names", maxName))
}

// checkKey returns an error unless key can be a job's name, a document's ID, a subject or a key everywhere.
func checkKey(what, key string) error {
	bad := ""
	switch {
	case key == "":
		bad = "is empty"
	case len(key) > maxKey:
		bad = fmt.Sprintf("%.20q... has %d bytes", key, len(key))
	case !utf8.ValidString(key):
		bad = fmt.Sprintf("%q is not valid UTF-8", key)
	case strings.ContainsFunc(key, unicode.IsControl):
		bad = fmt.Sprintf("%q has a control character in it", key)
	default:
		return nil
	}
	return hinted(fmt.Errorf("%w: the %s %s", ErrInvalid, what, bad), fmt.Sprintf("use 1 to %d bytes of printable UTF-8", maxKey))
}

// checkLabels returns an error unless labels can be indexed everywhere.
func checkLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return hinted(fmt.Errorf("%w: %d labels", ErrInvalid, len(labels)),
			fmt.Sprintf("use at most %d; put what nobody searches for into the data", maxLabels))
	}
	for name, value := range labels {
		bad := ""
		switch {
		case name == "":
			bad = "has an empty name"
		case len(name) > maxLabelName:
			bad = fmt.Sprintf("has a name of %d bytes", len(name))
		case strings.Contains(name, "="):
			bad = "has a \"=\" in its name"
		case len(value) > maxLabelValue:
			bad = fmt.Sprintf("has a value of %d bytes", len(value))
		case !printable(name) || !printable(value):
			bad = "has control characters or broken UTF-8"
		default:
			continue
		}
		return hinted(fmt.Errorf("%w: label %.70q %s", ErrInvalid, name, bad),
			fmt.Sprintf("use printable names of up to %d bytes without \"=\", and values of up to %d", maxLabelName, maxLabelValue))
	}
	return nil
}

// checkHeaders returns an error unless headers can be carried everywhere.
func checkHeaders(headers map[string]string) error {
	size := 0
	for name, value := range headers {
		size += len(name) + len(value)
		bad := ""
		switch {
		case name == "":
			bad = "has an empty name"
		case !printable(name) || !printable(value):
			bad = "has control characters or broken UTF-8"
		default:
			continue
		}
		return hinted(fmt.Errorf("%w: header %.70q %s", ErrInvalid, name, bad), "rename it, or encode its value")
	}
	if size > maxHeaderBytes {
		return hinted(fmt.Errorf("headers of %d bytes: %w", size, ErrTooLarge),
			fmt.Sprintf("the limit is %d bytes in total; put what is large into the data", maxHeaderBytes))
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
