package firing

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/memory"
	"github.com/nvent-go/nvent/internal/leakcheck"
	"github.com/nvent-go/nvent/trigger"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// starts notes what services launch.
type starts struct {
	mu   sync.Mutex
	list []string
}

// launch takes its time, for others to get in between. It must be called in a synctest bubble.
func (s *starts) launch(_ context.Context, st Start) (string, error) {
	time.Sleep(5 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, st.Key)
	return st.Key, nil
}

func (s *starts) sorted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.list))
}

// service starts an instance on a backend.
func service(t *testing.T, b *memory.Backend, store adapter.Store, to *starts, name string) *Service {
	t.Helper()
	s, err := New(t.Context(), Options{
		Store: store, Stream: b.Stream(), Clock: adapter.SystemClock(), Logger: slog.New(slog.DiscardHandler), Instance: name,
		Launch: to.launch, Encode: func(v any) (json.RawMessage, error) { return json.Marshal(v) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	return s
}

func schedule(name string, c trigger.Config) trigger.Definition {
	return trigger.Definition{Name: name, Type: trigger.Schedule, Config: c}
}

// TestAncestor_ATimeFarAwayDoesNotFireAtOnce: the ancestor's timers overflowed after 24 days, so a date 30 days away fired within
// milliseconds.
func TestAncestor_ATimeFarAwayDoesNotFireAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, to := memory.New(nil), &starts{}
		s := service(t, b, b.Store(), to, "a")
		for name, at := range map[string]string{"month": "2000-01-31T00:00:00Z", "decade": "2010-01-01T00:00:00Z", "ages": "2290-01-01T00:00:00Z"} {
			if _, err := s.Save(t.Context(), schedule(name, trigger.Config{At: at})); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(30*24*time.Hour - time.Second)
		if got := to.sorted(); len(got) != 0 {
			t.Errorf("%q fired within 30 days", got)
		}
		time.Sleep(2 * time.Second)
		time.Sleep(10 * 365 * 24 * time.Hour)
		if got, want := to.sorted(), []string{"trigger/decade/1262304000000", "trigger/month/949276800000"}; !slices.Equal(got, want) {
			t.Errorf("fired %q, want %q", got, want)
		}
		s.Close(t.Context())
	})
}

// TestEverySecondForAnHour fires without losing a tick, on four instances, though all of them are asked to do so at once.
func TestEverySecondForAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, to := memory.New(nil), &starts{}
		var all []*Service
		for i := range 4 {
			all = append(all, service(t, b, b.Store(), to, fmt.Sprint(i)))
		}
		if _, err := all[0].Save(t.Context(), schedule("often", trigger.Config{Cron: "* * * * * *"})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + 100*time.Millisecond)
		got := to.sorted()
		if len(got) != 3600 || len(slices.Compact(got)) != 3600 {
			t.Errorf("%d starts, %d of them different; want 3600", len(to.sorted()), len(slices.Compact(got)))
		}
		for _, s := range all {
			s.Close(t.Context())
		}
	})
}

// TestAHintThatIsLostCostsHalfAMinute edits a trigger where hints do not arrive.
func TestAHintThatIsLostCostsHalfAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, to := memory.New(nil), &starts{}
		deaf := memory.New(nil)
		a := service(t, b, sharedStore{b.Store()}, to, "a")
		far := service(t, deaf, sharedStore{b.Store()}, to, "far")
		a.Close(t.Context()) // only its Save is wanted
		time.Sleep(time.Minute)
		if _, err := a.Save(t.Context(), schedule("often", trigger.Config{Cron: "* * * * * *"})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40 * time.Second)
		if n := len(to.sorted()); n < 5 {
			t.Errorf("%d starts within 40 s of a lost hint, want some", n)
		}
		far.Close(t.Context())
	})
}

// sharedStore says that it has writers elsewhere.
type sharedStore struct{ adapter.Store }

func (s sharedStore) Info() adapter.Info {
	i := s.Store.Info()
	i.Scope = adapter.ScopeShared
	return i
}

// TestAnEditWhileATickIsDecidedIsNotOverlooked changes the document behind the service's back, between the reading of a trigger
// and the commit of its tick.
func TestAnEditWhileATickIsDecidedIsNotOverlooked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, to := memory.New(nil), &starts{}
		store := &editingStore{Store: b.Store()}
		s := service(t, b, store, to, "a")
		def, err := s.Save(t.Context(), schedule("hourly", trigger.Config{Cron: "0 * * * *"}))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		store.set(func() {
			def.Paused = true
			put, err := write(def, adapter.Version(def.Version))
			if err == nil {
				_, err = b.Store().Commit(t.Context(), adapter.Batch{Partition: def.Name, Puts: []adapter.Doc{put}})
			}
			if err != nil {
				t.Error(err)
			}
		})
		time.Sleep(3 * time.Hour)
		if got := to.sorted(); len(got) != 0 {
			t.Errorf("%q fired after the trigger was paused", got)
		}
		s.Close(t.Context())
	})
}

// editingStore calls a function once before a commit.
type editingStore struct {
	adapter.Store
	mu   sync.Mutex
	edit func()
}

func (s *editingStore) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.edit = f
}

func (s *editingStore) Commit(ctx context.Context, b adapter.Batch) (adapter.Committed, error) {
	s.mu.Lock()
	edit := s.edit
	s.edit = nil
	s.mu.Unlock()
	if edit != nil {
		edit()
	}
	return s.Store.Commit(ctx, b)
}
