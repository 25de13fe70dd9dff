package house_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const root = "github.com/nvent-go/nvent"

// layers are the packages of the core module and what each may import, apart from the standard library. A name ending in
// "/..." stands for everything below it. A package that no entry covers fails the test: new packages choose their place.
var layers = []struct {
	pkg     string
	imports []string
}{
	{"adapter", nil},
	{"adapter/adaptertest", []string{"adapter"}},
	{"adapter/memory", []string{"adapter", "adapter/memory/internal/..."}},
	{"adapter/file", []string{"adapter", "adapter/file/internal/...", "github.com/ncruces/go-sqlite3/..."}},
	{"adapter/file/internal/...", []string{"adapter", "adapter/file/internal/...", "github.com/ncruces/go-sqlite3/..."}},
	{"flow", []string{"adapter", "internal/attempt", "internal/calendar", "internal/decode", "internal/document", "internal/encode",
		"github.com/expr-lang/expr/..."}},
	{"trigger", []string{"adapter", "flow", "internal/calendar", "internal/document"}},
	{"internal/calendar", []string{"github.com/netresearch/go-cron"}},
	{"internal/attempt", nil},
	{"internal/decode", nil},
	{"internal/encode", nil},
	{"internal/document", []string{"adapter", "github.com/goccy/go-yaml/..."}},
	{"internal/leakcheck", nil},
	{"internal/engine", []string{"flow", "adapter", "internal/...", "github.com/google/uuid"}},
	{"internal/firing", []string{"trigger", "adapter", "github.com/google/uuid"}},
	{"internal/...", []string{"flow", "adapter", "internal/..."}},
	{"", []string{"flow", "trigger", "adapter", "adapter/memory", "adapter/file", "internal/...",
		"github.com/expr-lang/expr/...", "github.com/goccy/go-yaml/...", "github.com/google/uuid"}},
	{"httpapi", []string{"", "flow", "adapter", "internal/..."}},
	{"nventtest", []string{"", "flow", "adapter", "adapter/memory"}},
	{"enginetest", []string{"", "flow", "adapter", "adapter/adaptertest", "adapter/memory", "internal/..."}},
}

// forTests are the packages that exist to be imported by tests: they may import package testing, and nothing but tests and
// one another may import them.
var forTests = []string{"adapter/adaptertest", "enginetest", "nventtest", "internal/leakcheck"}

// thirdParty are the modules that the core may require.
var thirdParty = []string{"github.com/expr-lang/expr", "github.com/goccy/go-yaml", "github.com/google/uuid",
	"github.com/netresearch/go-cron",
	"github.com/ncruces/go-sqlite3",
	// go-sqlite3 requires these:
	"github.com/ncruces/go-sqlite3-wasm/v6", "github.com/ncruces/julianday", "golang.org/x/sys"}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func TestPackagesImportOnlyWhatTheirLayerMay(t *testing.T) {
	t.Parallel()
	for _, p := range corePackages(t) {
		name := rel(p.ImportPath)
		allowed, known := allowedImports(name)
		if !known {
			t.Errorf("package %q has no entry in layers: add it, with what it may import", name)
			continue
		}
		for _, imported := range p.Imports {
			dep := rel(imported)
			switch {
			case imported == "testing" || strings.HasPrefix(imported, "testing/"):
				if !slices.Contains(forTests, name) {
					t.Errorf("package %q imports %s: only tests may", name, imported)
				}
			case isStandard(imported):
			case !matchesAny(allowed, dep):
				t.Errorf("package %q imports %q: it may import the standard library and %q", name, dep, allowed)
			case slices.Contains(forTests, dep) && !slices.Contains(forTests, name):
				t.Errorf("package %q imports %q, which is for tests", name, dep)
			}
		}
	}
}

func TestCoreRequiresOnlyTheChosenModules(t *testing.T) {
	t.Parallel()
	var mod struct {
		Require []struct{ Path string }
		Replace []struct{ Old struct{ Path string } }
	}
	if err := json.Unmarshal(goTool(t, "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		if !slices.Contains(thirdParty, r.Path) {
			t.Errorf("go.mod requires %s: the core may require %q", r.Path, thirdParty)
		}
	}
	for _, r := range mod.Replace {
		t.Errorf("go.mod replaces %s: go install refuses modules that replace anything", r.Old.Path)
	}
}

// TestLayersNoticeViolations keeps the rules able to fail.
func TestLayersNoticeViolations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pkg, imported string
		allowed       bool
	}{
		{"adapter", "flow", false},
		{"adapter/memory", "adapter", true},
		{"adapter/memory", "flow", false},
		{"flow", "github.com/expr-lang/expr/vm", true},
		{"flow", "github.com/expr-lang/exprother", false},
		{"flow", "internal/engine", false},
		{"internal/engine", "", false},
		{"", "internal/engine", true},
		{"", "playground", false},
		{"", "bench", false},
		{"", "tools/testrun", false},
	}
	for _, tt := range tests {
		allowed, known := allowedImports(tt.pkg)
		if !known {
			t.Errorf("package %q is unknown", tt.pkg)
		}
		if got := matchesAny(allowed, tt.imported); got != tt.allowed {
			t.Errorf("package %q may import %q: %v, want %v", tt.pkg, tt.imported, got, tt.allowed)
		}
	}
	if _, known := allowedImports("util"); known {
		t.Error(`package "util" has a layer`)
	}
}

func allowedImports(name string) (allowed []string, known bool) {
	for _, l := range layers {
		if matches(l.pkg, name) {
			return l.imports, true
		}
	}
	return nil, false
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

func matches(pattern, name string) bool {
	if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == tree || strings.HasPrefix(name, tree+"/")
	}
	return pattern == name
}

// rel returns an import path of the module relative to it ("" is the root package), and any other path as it is.
func rel(path string) string {
	if path == root {
		return ""
	}
	return strings.TrimPrefix(path, root+"/")
}

// isStandard reports whether a path is of the standard library: its first element has no dot.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// corePackages lists the packages of the core module, without their tests.
func corePackages(t *testing.T) []goPackage {
	t.Helper()
	var pkgs []goPackage
	dec := json.NewDecoder(bytes.NewReader(goTool(t, "list", "-json=ImportPath,Imports", root+"/...")))
	for {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

func goTool(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = "../.."
	cmd.Env = append(cmd.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}
