package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTestsDoNotSleep refuses time.Sleep in tests: a test that waits for time to pass is slow where the machine is fast, and
// flaky where it is slow. Inside synctest.Test the clock is the bubble's, so there it is welcome: within the function that
// synctest.Test is given, or in a function whose doc comment says that it belongs in a synctest bubble.
func TestTestsDoNotSleep(t *testing.T) {
	t.Parallel()
	skip := []string{".git", "bin", "node_modules", "testdata"}
	files := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(skip, d.Name()):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files++
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, pos := range sleeps(file) {
			t.Errorf("%s: time.Sleep outside a synctest bubble: wait for a condition, or use synctest.Test", fset.Position(pos))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 3 {
		t.Errorf("looked at %d test files only", files)
	}
}

func TestSleepsAreFound(t *testing.T) {
	t.Parallel()
	const src = `package p

func TestA(t *testing.T) {
	time.Sleep(1)
	synctest.Test(t, func(t *testing.T) { time.Sleep(2) })
	func() { time.Sleep(3) }()
}

// advance lets time pass. It must be called in a synctest bubble.
func advance() { time.Sleep(4) }

func helper() { time.Sleep(5) }
`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p_test.go", src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	for _, pos := range sleeps(file) {
		lines = append(lines, fset.Position(pos).Line)
	}
	if want := []int{4, 6, 12}; !slices.Equal(lines, want) {
		t.Errorf("sleeps in lines %v, want %v", lines, want)
	}
}

// sleeps returns where a file calls time.Sleep outside a bubble.
func sleeps(file *ast.File) []token.Pos {
	var found []token.Pos
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			return !strings.Contains(n.Doc.Text(), "synctest bubble")
		case *ast.CallExpr:
			if isCall(n, "synctest", "Test") {
				return false
			}
			if isCall(n, "time", "Sleep") {
				found = append(found, n.Pos())
			}
		}
		return true
	})
	return found
}

func isCall(call *ast.CallExpr, pkg, name string) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg
}
