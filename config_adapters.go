package nvent

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/internal/config"
	"github.com/nvent-go/nvent/internal/document"
)

const anyKind = adapter.KindQueue | adapter.KindStream | adapter.KindStore

// adapterChoice is what a configuration says about the adapter of one kind.
type adapterChoice struct {
	kind      adapter.Kind
	name      string
	hasDriver bool
	options   Options
	sections  map[string]Options
	namespace string
}

func (c Config) adapterChoices() []adapterChoice {
	q, s, t := c.Queue, c.Stream, c.Store
	return []adapterChoice{
		{adapter.KindQueue, q.Adapter, q.Driver != nil, q.Options, q.Adapters, q.Default.Prefix},
		{adapter.KindStream, s.Adapter, s.Driver != nil, s.Options, s.Adapters, t.Namespace},
		{adapter.KindStore, t.Adapter, t.Driver != nil, t.Options, t.Adapters, t.Namespace},
	}
}

// section is a set of options with the path of its key.
type section struct {
	path    string
	options Options
}

// sectionsOf returns the options of the adapter in use for a kind; later ones go over earlier ones.
func (c Config) sectionsOf(a adapterChoice) []section {
	path := a.kind.String()
	return []section{
		{config.Join("connections", a.name), c.Connections[a.name]},
		{path + ".options", a.options},
		{config.Join(path, a.name), a.sections[a.name]},
	}
}

// decode fills the options struct of an adapter from sections.
func (c Config) decode(into any, sections ...section) []config.Problem {
	var nodes []*config.Node
	for _, s := range sections {
		n, err := config.FromGo(map[string]any(s.options), s.path, c.origins)
		if err != nil {
			return []config.Problem{{Key: s.path, What: err.Error(), Fix: "use texts, numbers, booleans, durations, slices and maps",
				Cause: err}}
		}
		nodes = append(nodes, n)
	}
	d := config.Decoder{Guarded: true}
	d.Decode(config.Merge(nodes...), into)
	return d.Problems
}

// adapterOptions fills into, a pointer to the options struct of an adapter, for one kind. The error is a [*ConfigError].
func (c Config) adapterOptions(kind adapter.Kind, name string, into any) error {
	for _, a := range c.adapterChoices() {
		if a.kind == kind {
			a.name = name
			return configError(c.decode(into, c.sectionsOf(a)...))
		}
	}
	return nil
}

// opening is one call of a factory.
type opening struct {
	factory   adapter.Factory
	kinds     adapter.Kind
	options   any
	namespace string
}

// openings returns what has to be opened for the kinds that have no driver. Kinds that name the same adapter with the same
// options and namespace share one opening, and with it its connection. The configuration has its defaults.
func (c Config) openings() ([]*opening, error) {
	var list []*opening
	for _, a := range c.adapterChoices() {
		if a.hasDriver {
			continue
		}
		f, err := c.Registry.Find(a.name, a.kind)
		if err != nil {
			return nil, err
		}
		o := &opening{factory: f, kinds: a.kind, namespace: a.namespace}
		if f.Options != nil {
			o.options = f.Options()
			if err := c.adapterOptions(a.kind, a.name, o.options); err != nil {
				return nil, err
			}
		}
		if i := slices.IndexFunc(list, o.sharesWith); i >= 0 {
			list[i].kinds |= a.kind
			continue
		}
		list = append(list, o)
	}
	return list, nil
}

func (o *opening) sharesWith(other *opening) bool {
	return o.factory.Name == other.factory.Name && o.namespace == other.namespace && reflect.DeepEqual(o.options, other.options)
}

// adapters checks the names of adapters, and every section of options whose adapter is registered, in use or not.
func (v *validation) adapters() {
	for _, a := range v.config.adapterChoices() {
		path := a.kind.String()
		if a.hasDriver && a.name != "" {
			v.refuse(path+".adapter", "an adapter is named, and a driver is given as well", "keep one of them")
		}
		if a.hasDriver && len(a.options) > 0 {
			v.refuse(path+".options", "there are options, and a driver that takes none", "remove one of them")
		}
	}
	for _, a := range v.full.adapterChoices() {
		path := a.kind.String()
		if !a.hasDriver {
			v.adapter(a)
		}
		for _, name := range slices.Sorted(maps.Keys(a.sections)) {
			if v.isAdapter(name, path, fixedKeys(a.kind)) {
				v.section(name, section{config.Join(path, name), a.sections[name]})
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.config.Connections)) {
		if v.isAdapter(name, "connections", nil) {
			v.section(name, section{config.Join("connections", name), v.config.Connections[name]})
		}
	}
}

// adapter checks that the adapter of a kind is registered, and the options that do not bear its name.
func (v *validation) adapter(a adapterChoice) {
	key := a.kind.String() + ".adapter"
	if config.RedactText(a.name) != a.name {
		v.refuse(key, "this text is not the name of an adapter", "name one, such as memory; how to reach it goes into its section")
		return
	}
	registry := v.full.Registry
	if _, err := registry.Find(a.name, a.kind); err != nil {
		p := v.refuse(key, strings.TrimPrefix(err.Error(), adapter.ErrNotFound.Error()+": "), "")
		p.Cause = err
		if !slices.Contains(v.allAdapters(), a.name) {
			p.Near = document.Nearest(a.name, slices.Concat(registry.Names(a.kind), knownAdapters))
		}
		return
	}
	v.section(a.name, section{a.kind.String() + ".options", a.options})
}

// section checks options for an adapter, if it is registered.
func (v *validation) section(name string, s section) {
	f, err := v.full.Registry.Find(name, anyKind)
	if err != nil || len(s.options) == 0 {
		return // which is no mistake unless it is in use, and then has been said
	}
	if f.Options == nil {
		p := v.refuse(s.path, "adapter "+name+" has no options", "remove them")
		p.Where = v.config.origins[s.path].Key.String()
		return
	}
	v.problems = append(v.problems, v.config.decode(f.Options(), s)...)
}

// isAdapter checks that a section bears the name of an adapter.
func (v *validation) isAdapter(name, path string, fixed []string) bool {
	adapters := v.allAdapters()
	if slices.Contains(adapters, name) {
		return true
	}
	key := config.Join(path, name)
	fix := "adapters: " + strings.Join(adapters, ", ")
	if len(fixed) > 0 {
		fix = "allowed here: " + strings.Join(fixed, ", ") + ", and the name of an adapter: " + strings.Join(adapters, ", ")
	}
	p := v.refuse(key, "unknown key", fix)
	p.Where, p.Near = v.config.origins[key].Key.String(), document.Nearest(name, slices.Concat(fixed, adapters))
	return false
}

// allAdapters returns the names of the adapters that are registered, and of those that could be.
func (v *validation) allAdapters() []string {
	names := slices.Concat(v.full.Registry.Names(anyKind), knownAdapters)
	slices.Sort(names)
	return slices.Compact(names)
}

// fixedKeys returns the keys of a kind's configuration that are no sections.
func fixedKeys(k adapter.Kind) []string {
	types := map[adapter.Kind]reflect.Type{adapter.KindQueue: reflect.TypeFor[QueueConfig](),
		adapter.KindStream: reflect.TypeFor[StreamConfig](), adapter.KindStore: reflect.TypeFor[StoreConfig]()}
	return config.Keys(types[k])
}
