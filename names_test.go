package nvent

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"mail": "", "a.b-c_D9": "", strings.Repeat("q", maxName): "",
		"":                             "is empty",
		"a b":                          `"a b" has a ' ' in it`,
		"a:b":                          `"a:b" has a ':' in it`,
		"größe":                        `has a 'ö' in it`,
		".a":                           "dot without a name",
		"a.":                           "dot without a name",
		"a..b":                         "dot without a name",
		strings.Repeat("q", maxName+1): "has 129 bytes",
		"\xff":                         "in it",
	} {
		checkProblem(t, name, checkName("queue", name), ErrInvalid, want)
	}
}

func TestCheckKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"a/b:c d ö":                   "",
		"":                            "is empty",
		"a\x00b":                      "control character",
		"a\nb":                        "control character",
		"\xff":                        "not valid UTF-8",
		strings.Repeat("k", maxKey+1): "has 513 bytes",
	} {
		checkProblem(t, key, checkKey("key", key), ErrInvalid, want)
	}
}

func TestCheckLabels(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range maxLabels {
		many["l"+strconv.Itoa(i)] = "v"
	}
	checkProblem(t, "8 labels", checkLabels(many), nil, "")
	tooMany := maps.Clone(many)
	tooMany["one more"] = "v"
	checkProblem(t, "9 labels", checkLabels(tooMany), ErrInvalid, "9 labels")
	for name, want := range map[string]string{
		"":                      "empty name",
		"a=b":                   `"=" in its name`,
		strings.Repeat("l", 65): "name of 65 bytes",
		"a\x01":                 "control characters",
	} {
		checkProblem(t, name, checkLabels(map[string]string{name: "v"}), ErrInvalid, want)
	}
	checkProblem(t, "value", checkLabels(map[string]string{"l": strings.Repeat("v", 257)}), ErrInvalid, "value of 257 bytes")
}

func TestCheckHeaders(t *testing.T) {
	t.Parallel()
	checkProblem(t, "none", checkHeaders(nil), nil, "")
	checkProblem(t, "empty", checkHeaders(map[string]string{"": "v"}), ErrInvalid, "empty name")
	checkProblem(t, "control", checkHeaders(map[string]string{"h": "a\nb"}), ErrInvalid, "control characters")
	checkProblem(t, "large", checkHeaders(map[string]string{"h": strings.Repeat("v", maxHeaderBytes)}), ErrTooLarge, "16385 bytes")
}

// checkProblem checks that err is kind and says want; no error is expected if want is empty.
func checkProblem(t *testing.T, what string, err, kind error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%.30q: %v", what, err)
	case want == "":
	case !errors.Is(err, kind) || !strings.Contains(err.Error(), want):
		t.Errorf("%.30q: error is %v, want %v that says %q", what, err, kind, want)
	}
}
