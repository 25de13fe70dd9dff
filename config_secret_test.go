package nvent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/nvent-go/nvent/adapter"
)

// mark is in every secret of these tests, and may be in nothing that comes out.
const mark = "Zq7kxWv"

// secretPlaces are configurations with a secret at %s, well-formed and not. Those before rawPlaces take it in quotes.
var secretPlaces = []string{
	"queue: {adapter: redis, redis: {password: %s}}",
	"connections: {redis: {passwrod: %s}}",
	"connections: {own: {anything: {nested: [%s, {deeper: %s}]}}}",
	"connections: {redis: {host: %s, user: %s, brokers: {password: %s}, password: [%s]}}",
	"store: {adapter: redis, options: {apiToken: %s, port: true}}",
	"queue: {redis: {tls: {ca: %s, insecure: %s}, timeout: %s}}",
	"queue: {redis: {password: {value: %s}}}",
	`queue: {redis: {url: "redis://user:` + "%r" + `@localhost:6379/0"}}`,
	`store: {adapter: "redis://user:` + "%r" + `@localhost:6379/0", namespace: "redis://:` + "%r" + `@localhost"}`,
	`connections: {postgres: {connectionString: "host=h user=u password=` + "%r" + `"}}`,
	`connections: {redis: {host: "amqp://u:` + "%r" + `@h?heartbeat=1", port: "redis://u:` + "%r" + `@h"}}`,
	`queue: {redis: {password: "${UNSET:` + "%r" + `}${UNSET}"}}`,
	`limits: {payload: "redis://u:` + "%r" + `@h"}`,
}

var rawPlaces = []string{
	"queue:\n  redis:\n    password: %r\n    port: x\n",
	"queue:\n  redis: {host: h, password: %r}\n",
	"queue:\n  redis:\n    password: |\n      %r\n  nothing: 1\n",
	"queue:\n  redis:\n    password: \"%r\n    port: 1\n",
	"connections:\n  redis:\n    - %r\n",
}

// plainSecrets are placed where the text of a harmless option is shown, unless it looks like credentials.
func isPlainPlace(place string) bool { return strings.Contains(place, "host: %s") }

func checkSecret(t *testing.T, text string, env []string) {
	t.Helper()
	var out strings.Builder
	c, err := ParseConfig([]byte(text), "nvent.yaml", env)
	fmt.Fprintln(&out, err)
	c.Registry = testRegistry(t)
	fmt.Fprintln(&out, c.Validate())
	for _, kind := range []adapter.Kind{adapter.KindQueue, adapter.KindStream, adapter.KindStore} {
		fmt.Fprintln(&out, c.adapterOptions(kind, "redis", new(redisOptions)))
	}
	writeEveryWay(&out, c)
	writeEveryWay(&out, c.Queue.Adapters)
	writeEveryWay(&out, c.Connections)
	writeEveryWay(&out, c.Queue)
	if i := strings.Index(out.String(), mark); i >= 0 {
		s := out.String()
		t.Fatalf("%q with %q shows a secret: ...%s", text, env, s[max(0, i-200):min(len(s), i+50)])
	}
}

// writeEveryWay leaves %p out: fmt does not ask the value about it, and go vet refuses it.
func writeEveryWay(w io.Writer, v any) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T"} {
		fmt.Fprintf(w, verb+"\n", v)
	}
	b, err := json.Marshal(v)
	fmt.Fprintf(w, "%s %v\n", b, err)
	b, err = yaml.Marshal(v)
	fmt.Fprintf(w, "%s %v\n", b, err)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
	_, _ = w.Write(log.Bytes())
}

// secretConfigs returns every place with a secret in it.
func secretConfigs(middle string) map[string][]string {
	configs := map[string][]string{}
	secret := mark + middle + mark
	quoted, _ := json.Marshal(secret)
	// Within a larger text the secret is as a URL or a connection string would carry it.
	inURL := strings.Map(func(r rune) rune {
		if strings.ContainsRune("\"\\\n\r@:/?#;{}$ %", r) || r < ' ' || r > '~' {
			return -1
		}
		return r
	}, secret)
	for _, place := range secretPlaces {
		if isPlainPlace(place) && !strings.ContainsAny(secret, "@=;") {
			continue
		}
		text := strings.ReplaceAll(strings.ReplaceAll(place, "%s", strings.ReplaceAll(string(quoted), "${", "$${")), "%r", inURL)
		configs[text] = nil
	}
	// In a raw text a line break or a ", key: " is no part of a secret to anybody who reads it.
	raw := strings.Map(func(r rune) rune {
		if r == ':' || r < ' ' || r > '~' {
			return -1
		}
		return r
	}, secret)
	for _, place := range rawPlaces {
		configs[strings.ReplaceAll(place, "%r", raw)] = nil
	}
	configs["queue: {redis: {password: \"${PW}\", timeout: \"${PW}\", url: \"redis://u:${PW}@h\"}}\n"] = []string{"PW=" + secret}
	configs["queue: {adapter: redis}"] = []string{"NVENT_QUEUE_REDIS_PASSWORD=" + secret, "NVENT_QUEUE_REDIS_TLS=" + secret}
	configs["connections: {}"] = []string{"NVENT_CONNECTIONS_REDIS_PASWORD=" + secret, "NVENT_PASSWORD=" + secret}
	return configs
}

func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	const alphabet = `abcXYZ019 ,;:@/?#&*!|>'"%$={}[]()\~-_.` + "`\n\t"
	random := rand.New(rand.NewPCG(1, 2))
	middles := []string{"", "@", "@h:1/", "p@ss/w:rd?x#y", `"`, "'", "{", "${X}", ", ", "*a", "\x00"}
	for range 50 {
		b := make([]byte, random.IntN(12))
		for i := range b {
			b[i] = alphabet[random.IntN(len(alphabet))]
		}
		middles = append(middles, string(b))
	}
	for _, middle := range middles {
		for text, env := range secretConfigs(middle) {
			checkSecret(t, text, env)
		}
	}
}

func FuzzSecretsStayInside(f *testing.F) {
	f.Add("@h/")
	f.Fuzz(func(t *testing.T, middle string) {
		for text, env := range secretConfigs(middle) {
			checkSecret(t, text, env)
		}
	})
}

func TestRedactedConfigStaysUseful(t *testing.T) {
	t.Parallel()
	c, err := ParseConfig([]byte(`
queue:
  adapter: redis
  redis: {host: localhost, port: 6379, password: hunter2, db: 3, pin: 1234, url: "redis://u:p@h:6379/0", brokers: [a, b]}
  defaultConfig: {attempts: 5, backoff: 2s}
store: {retention: {eventTTL: 36h}}
`), "nvent.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"queue":{"adapter":"redis","defaultConfig":{"attempts":5,"backoff":{"base":"2s","kind":"fixed"}},` +
		`"redis":{"brokers":["a","b"],"db":3,"host":"localhost","password":"[redacted]","pin":"[redacted]","port":6379,` +
		`"url":"redis://[redacted]@h:6379"}},"store":{"retention":{"eventTTL":"36h"}}}`
	if got := c.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
