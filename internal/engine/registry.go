package engine

import (
	"maps"
	"sync"
	"sync/atomic"
)

// registry is a map that is written a few times and read for every job: reading takes no lock.
type registry[K comparable, V any] struct {
	mu      sync.Mutex // of writers
	current atomic.Pointer[map[K]V]
}

// all returns the map. It must not be changed.
func (r *registry[K, V]) all() map[K]V {
	if m := r.current.Load(); m != nil {
		return *m
	}
	return nil
}

func (r *registry[K, V]) get(k K) (V, bool) {
	v, ok := r.all()[k]
	return v, ok
}

// add adds a value, and reports false if there is one already: that one stays.
func (r *registry[K, V]) add(k K, v V) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.get(k); taken {
		return false
	}
	m := maps.Clone(r.all())
	if m == nil {
		m = map[K]V{}
	}
	m[k] = v
	r.current.Store(&m)
	return true
}
