package memory

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

type contextKey struct{}

func TestJobContext(t *testing.T) {
	t.Parallel()
	cause := errors.New("the cause")
	parent := context.WithValue(context.Background(), contextKey{}, "value")
	for name, use := range map[string]func(c context.Context){
		"unused":    func(context.Context) {},
		"done used": func(c context.Context) { _ = c.Done() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &jobContext{parent: parent}
			use(c)
			if c.Err() != nil || context.Cause(c) != nil {
				t.Fatalf("it has ended before it began: %v", context.Cause(c))
			}
			c.end(cause)
			c.end(errors.New("too late"))
			if c.Err() != context.Canceled || context.Cause(c) != cause {
				t.Errorf("err %v, cause %v", c.Err(), context.Cause(c))
			}
			select {
			case <-c.Done():
			default:
				t.Error("Done is open")
			}
			if c.Value(contextKey{}) != "value" || c.Value("other") != nil {
				t.Error("values are lost")
			}
			late, cancel := context.WithCancel(c)
			defer cancel()
			if late.Err() == nil || context.Cause(late) != cause {
				t.Errorf("a context derived after the end: %v, cause %v", late.Err(), context.Cause(late))
			}
		})
	}
}

func TestJobContextEndsWhatIsDerivedFromIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("the cause")
		c := &jobContext{parent: context.Background()}
		child, cancel := context.WithCancel(context.WithValue(c, contextKey{}, 1))
		defer cancel()
		called := make(chan error, 1)
		stop := context.AfterFunc(child, func() { called <- context.Cause(child) })
		defer stop()
		never := context.AfterFunc(c, func() { t.Error("a stopped function is called") })
		if !never() {
			t.Error("stop reports that it came too late")
		}
		synctest.Wait()
		c.end(cause)
		if err := <-called; err != cause {
			t.Errorf("the child's cause is %v", err)
		}
		synctest.Wait()
	})
}
