package config

import (
	"errors"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"500ms": 500 * time.Millisecond, "1m30s": 90 * time.Second, "7d": 7 * day, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour,
		"-1d": -day, "0s": 0, "106751d": 106751 * day, "1.5h": 90 * time.Minute, "3µs": 3 * time.Microsecond,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]error{
		"": errNotDuration, "-": errNotDuration, "5": errNotDuration, "d": errNotDuration, "7 d": errNotDuration, "7 days": errNotDuration,
		"1.2.3s": errNotDuration, "5x": errNotDuration, "1e3s": errNotDuration, "--5s": errNotDuration, ".s": errNotDuration,
		"106752d": errRange, "99999999999999999999s": errRange, "9999999h": errRange, "106751d24h": errRange,
	} {
		if got, err := ParseDuration(text); !errors.Is(err, want) {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}

func FuzzDurationsAreReadBack(f *testing.F) {
	for _, d := range []time.Duration{0, 1, time.Millisecond, 90 * time.Second, time.Hour, 7 * day, 36 * time.Hour, -day, 1<<63 - 1} {
		f.Add(int64(d))
	}
	f.Fuzz(func(t *testing.T, n int64) {
		if n == -1<<63 {
			return // the only one without a positive counterpart
		}
		text := FormatDuration(time.Duration(n))
		if got, err := ParseDuration(text); err != nil || got != time.Duration(n) {
			t.Fatalf("%d is written %q and read %v, %v", n, text, got, err)
		}
	})
}

func TestFormatDuration(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"7d": 7 * day, "36h": 36 * time.Hour, "5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "1m5s": 65 * time.Second, "0s": 0,
		"10m": 10 * time.Minute, "20h": 20 * time.Hour, "1h0m10s": time.Hour + 10*time.Second, "-2d": -2 * day,
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint64{"1": 1, "10B": 10, "4KiB": 4096, "4 MiB": 4 << 20, "1GiB": 1 << 30, "2kB": 2000, "2MB": 2e6} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("parseSize(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]error{
		"": errNotSize, "MiB": errNotSize, "1.5MiB": errNotSize, "-1": errNotSize, "4 megabytes": errNotSize,
		"99999999999999999999": errRange, "99999999999GiB": errRange,
	} {
		if got, err := parseSize(text); !errors.Is(err, want) {
			t.Errorf("parseSize(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}
