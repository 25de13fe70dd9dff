package nvent

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// appendixA is every method, field, state, event and option of the specification's Appendix A, as the first column of
// docs/spec-map.md has it.
const appendixA = `
init() close() enqueue( schedule( getJob( getJobs( getJobCounts( pause( resume( isPaused( on(
name data opts opts.attempts opts.backoff opts.delay opts.priority
Job id state 'waiting' 'active' 'completed' 'failed' 'delayed' 'paused' returnvalue failedReason timestamp processedOn finishedOn
ScheduleOptions.delay ScheduleOptions.cron JobsQuery.state JobsQuery.limit JobsQuery.cursor
active completed failed delayed waiting paused 'added' 'progress' 'resumed'
shutdown() publish( subscribe( unsubscribe( listTopics( getSubscriptionCount(
StreamEvent topic runId flowName metadata queue exclusive durable prefetch handle.topic handle.id handle.unsubscribe()
append( read( save( get( list( delete( kv.get( kv.set( kv.delete( kv.clear(
ts type stepName stepId attempt fromId limit direction EventSubscription.unsubscribe() offset sortBy sortOrder _version
FlowWiring.steps FlowWiring.connections FlowWiring._version FlowWiring.updatedAt connections[].from connections[].to
connections[].condition StepDefinition.name StepDefinition.handler StepDefinition.config StepDefinition.retry retry.attempts
retry.backoff TriggerDefinition FlowMetadata.runId FlowMetadata.status FlowMetadata.startedAt FlowMetadata.completedAt
FlowMetadata.stepCount FlowMetadata.completedSteps FlowMetadata._version`

var inBackticks = regexp.MustCompile("`([^`]+)`")

func TestSpecMapCoversTheSpecification(t *testing.T) {
	t.Parallel()
	var mapped []string
	for _, row := range specRows(t) {
		for _, m := range inBackticks.FindAllStringSubmatch(row[0], -1) {
			mapped = append(mapped, m[1])
		}
	}
	for name := range strings.FieldsSeq(appendixA) {
		found := slices.ContainsFunc(mapped, func(m string) bool {
			return m == name || strings.HasSuffix(name, "(") && strings.HasPrefix(m, name)
		})
		if !found {
			t.Errorf("docs/spec-map.md does not map %s", name)
		}
	}
}

func TestSpecMapNamesExist(t *testing.T) {
	t.Parallel()
	names := goNames{}
	for pkg, dir := range map[string]string{"nvent": ".", "flow": "flow", "adapter": "adapter"} {
		names.add(t, pkg, dir)
	}
	count := 0
	for _, row := range specRows(t) {
		for _, m := range inBackticks.FindAllStringSubmatch(row[1], -1) {
			count++
			pkg, name, qualified := strings.Cut(m[1], ".")
			if !qualified || names[pkg] == nil {
				pkg, name = "nvent", m[1]
			}
			if !names.has(pkg, name) {
				t.Errorf("docs/spec-map.md maps %s to %s, which does not exist", row[0], m[1])
			}
		}
	}
	if count < 150 {
		t.Errorf("docs/spec-map.md has %d Go names only", count)
	}
	for _, absent := range []string{"Nothing", "Queue.Nothing", "JobSnapshot.Nothing", "KV.store"} {
		if names.has("nvent", absent) {
			t.Errorf("the check finds %s, which does not exist", absent)
		}
	}
}

// specRows returns the rows of the tables of docs/spec-map.md, cell by cell.
func specRows(t *testing.T) [][]string {
	t.Helper()
	text, err := os.ReadFile("docs/spec-map.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(strings.ReplaceAll(string(text), `\|`, "or")) {
		if cells := strings.Split(line, "|"); len(cells) == 5 && !strings.HasPrefix(line, "|---") {
			rows = append(rows, cells[1:4])
		} else if len(cells) > 1 && len(cells) != 5 {
			t.Errorf("row with %d cells: %s", len(cells)-2, line)
		}
	}
	return rows
}

// goNames are the exported names of packages, and what each is: its members, and the types that lend it theirs.
type goNames map[string]map[string]*goName

type goName struct {
	members map[string]bool
	lenders [][2]string // package and type: of an alias, or embedded
}

func (n goNames) has(pkg, name string) bool {
	top, member, nested := strings.Cut(name, ".")
	found := n[pkg][top]
	if found == nil || !nested {
		return found != nil
	}
	return ast.IsExported(member) && n.hasMember(found, member)
}

func (n goNames) hasMember(of *goName, member string) bool {
	if of == nil {
		return false
	}
	return of.members[member] ||
		slices.ContainsFunc(of.lenders, func(l [2]string) bool { return n.hasMember(n[l[0]][l[1]], member) })
}

func (n goNames) add(t *testing.T, pkg, dir string) {
	t.Helper()
	n[pkg] = map[string]*goName{}
	files, err := fs.Glob(os.DirFS(dir), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), dir+"/"+f, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			n.addDecl(pkg, d)
		}
	}
}

func (n goNames) name(pkg, name string) *goName {
	g := n[pkg][name]
	if g == nil {
		g = &goName{members: map[string]bool{}}
		n[pkg][name] = g
	}
	return g
}

func (n goNames) addDecl(pkg string, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			n.name(pkg, d.Name.Name)
			return
		}
		if of, ok := typeName(pkg, d.Recv.List[0].Type); ok {
			n.name(of[0], of[1]).members[d.Name.Name] = true
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.ValueSpec:
				for _, name := range s.Names {
					n.name(pkg, name.Name)
				}
			case *ast.TypeSpec:
				n.addType(pkg, s)
			}
		}
	}
}

func (n goNames) addType(pkg string, s *ast.TypeSpec) {
	g := n.name(pkg, s.Name.Name)
	fields, isStruct := s.Type.(*ast.StructType)
	if !isStruct {
		if of, ok := typeName(pkg, s.Type); ok && s.Assign.IsValid() {
			g.lenders = append(g.lenders, of)
		}
		return
	}
	for _, f := range fields.Fields.List {
		for _, name := range f.Names {
			g.members[name.Name] = true
		}
		if of, ok := typeName(pkg, f.Type); ok && len(f.Names) == 0 {
			g.lenders = append(g.lenders, of)
		}
	}
}

// typeName returns the package and the name of a type that has one, without its pointer and its parameters.
func typeName(pkg string, e ast.Expr) (name [2]string, ok bool) {
	switch e := e.(type) {
	case *ast.Ident:
		return [2]string{pkg, e.Name}, true
	case *ast.StarExpr:
		return typeName(pkg, e.X)
	case *ast.IndexExpr:
		return typeName(pkg, e.X)
	case *ast.SelectorExpr:
		if x, isName := e.X.(*ast.Ident); isName {
			return [2]string{x.Name, e.Sel.Name}, true
		}
	}
	return name, false
}
