package config

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Redacted stands for a value that is not shown.
const Redacted = "[redacted]"

// plainOptions are the options of adapters whose text may be shown. An allow-list, since third-party adapters name their
// secrets as they like.
var plainOptions = []string{"host", "hosts", "port", "db", "database", "vhost", "dir", "path", "file", "schema", "prefix",
	"namespace", "brokers", "servers", "addr", "addrs", "address", "addresses"}

// secretOptions are parts of the names of options whose numbers and booleans are not shown either.
var secretOptions = []string{"pass", "pwd", "secret", "token", "key", "cred", "auth", "pin"}

// endpoint matches a URL of which it is certain what is a secret: nothing, or all between :// and the only @.
var endpoint = regexp.MustCompile(`^([a-z][a-z0-9+.-]*://)([^/?#@\s]*@)?([A-Za-z0-9.-]+(?::[0-9]+)?)(/[^@?#=]*)?$`)

// Redact returns a copy of the options of an adapter, for people to read: numbers, booleans, and the text of options that are
// known to be harmless stay; of URLs the scheme and the host stay; everything else becomes [Redacted].
func Redact(options map[string]any) map[string]any {
	if options == nil {
		return nil
	}
	shown := make(map[string]any, len(options))
	for key, v := range options {
		shown[key] = redactValue(key, reflect.ValueOf(v))
	}
	return shown
}

// RedactText returns a text that is no option, or [Redacted] if it may hold credentials all the same.
func RedactText(text string) string {
	if looksSecret(text) {
		return Redacted
	}
	return text
}

func redactValue(key string, v reflect.Value) any {
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch {
	case !v.IsValid():
		return nil
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		shown := map[string]any{}
		for _, k := range v.MapKeys() {
			inner := k.String()
			// Below a secret everything is one: {password: {value: ...}}.
			if isSecretOption(key) {
				inner = key
			}
			shown[k.String()] = redactValue(inner, v.MapIndex(k))
		}
		return shown
	case v.Kind() == reflect.Slice || v.Kind() == reflect.Array:
		shown := make([]any, v.Len())
		for i := range shown {
			shown[i] = redactValue(key, v.Index(i))
		}
		return shown
	case v.Kind() == reflect.String:
		return redactText(key, v.String())
	case isSecretOption(key):
		return Redacted
	case v.CanInt() || v.CanUint() || v.CanFloat() || v.Kind() == reflect.Bool:
		return v.Interface()
	}
	return Redacted
}

func redactText(key, text string) string {
	if isSecretOption(key) {
		return Redacted
	}
	if m := endpoint.FindStringSubmatch(text); m != nil {
		userinfo := ""
		if m[2] != "" {
			userinfo = Redacted + "@"
		}
		return m[1] + userinfo + m[3]
	}
	if text == "" || (isPlainOption(key) && !looksSecret(text)) {
		return text
	}
	return Redacted
}

func isPlainOption(key string) bool { return slices.Contains(plainOptions, strings.ToLower(key)) }

func isSecretOption(key string) bool {
	key = strings.ToLower(key)
	return slices.ContainsFunc(secretOptions, func(s string) bool { return strings.Contains(key, s) })
}

// looksSecret reports whether text may have credentials in it, wherever it stands: a URL, a connection string.
func looksSecret(text string) bool {
	return strings.ContainsAny(text, "@=;") || strings.Contains(text, "://")
}

// show returns how an error may name the value of a node: quoted, or what kind of thing it is where it might be a secret.
func (n *Node) show(guarded bool) string {
	var text string
	switch v := n.Value.(type) {
	case string:
		text = v
		if n.Source != "" {
			text = n.Source
		}
	case int64:
		text = strconv.FormatInt(v, 10)
	case uint64:
		text = strconv.FormatUint(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		text = strconv.FormatBool(v)
	default:
		return n.Kind.String()
	}
	hidden := guarded && (n.Expanded || !isPlainOption(lastKey(n.Path)))
	if hidden || looksSecret(text) {
		if n.Kind == Text {
			return "this text"
		}
		return n.Kind.String()
	}
	if n.Kind == Text {
		return ShowText(text)
	}
	return text
}

// lastKey returns the last key of a path, without the index of a list.
func lastKey(path string) string {
	if i := strings.IndexByte(path, '['); i > 0 && strings.HasSuffix(path, "]") && !strings.Contains(path, `"`) {
		path = path[:i]
	}
	return path[strings.LastIndexByte(path, '.')+1:]
}

// shorten cuts text that is too long for a message.
func shorten(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "..."
}
