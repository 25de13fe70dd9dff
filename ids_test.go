package nvent

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestNewIDIsAUUIDv7OfItsTime(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_764_000_000_123).Add(500 * time.Microsecond)
	id, err := uuid.Parse(newID(at))
	if err != nil {
		t.Fatal(err)
	}
	if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		t.Errorf("%s has version %d and variant %v", id, id.Version(), id.Variant())
	}
	if got, want := id[:6], []byte{0x01, 0x9a, 0xb6, 0x97, 0xe8, 0x7b}; !slices.Equal(got, want) {
		t.Errorf("%s begins with the milliseconds %x, want %x", id, got, want)
	}
	if half := uint16(id[6]&0xf)<<8 | uint16(id[7]); half != 1<<11 {
		t.Errorf("%s has the fraction %#x, want half of 2^12", id, half)
	}
}

func TestNewIDsAreUniqueAndSortByTime(t *testing.T) {
	t.Parallel()
	start := time.Now()
	var byTime []string
	seen := map[string]bool{}
	for i := range 10_000 {
		id := newID(start.Add(time.Duration(i) * time.Microsecond))
		if seen[id] {
			t.Fatalf("%s came twice", id)
		}
		seen[id] = true
		byTime = append(byTime, id)
	}
	if !slices.IsSorted(byTime) {
		t.Error("IDs made a microsecond apart do not sort by their time")
	}
}

func TestJobID(t *testing.T) {
	t.Parallel()
	a, b, c := JobID("mail", "42"), JobID("mail", "43"), JobID("sms", "42")
	if a != JobID("mail", "42") || a == b || a == c {
		t.Errorf("JobID: %s, %s, %s", a, b, c)
	}
	// It must stay the same for ever: jobs that are stored have it.
	if want := "24c72a3e-d8ec-5897-b9a4-0128d1131aec"; a != want {
		t.Errorf("JobID(mail, 42) = %s, want %s", a, want)
	}
	if id, err := uuid.Parse(a); err != nil || id.Version() != 5 {
		t.Errorf("%s is not a UUIDv5: %v", a, err)
	}
}

func BenchmarkNewID(b *testing.B) {
	now := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = newID(now)
		}
	})
}
