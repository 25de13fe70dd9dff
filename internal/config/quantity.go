package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

var (
	errNotDuration = errors.New("not a duration")
	errNotSize     = errors.New("not a size")
	errRange       = errors.New("out of range")
)

// ParseDuration reads what [time.ParseDuration] reads, and days: "7d", "1d12h".
func ParseDuration(s string) (time.Duration, error) {
	sign, rest := time.Duration(1), s
	if r, ok := strings.CutPrefix(s, "-"); ok {
		sign, rest = -1, r
	}
	var total time.Duration
	for rest != "" {
		digits := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if digits <= 0 {
			return 0, errNotDuration
		}
		end := strings.IndexFunc(rest[digits:], func(r rune) bool { return r == '.' || (r >= '0' && r <= '9') })
		if end < 0 {
			end = len(rest) - digits
		}
		number, unit := rest[:digits], rest[digits:digits+end]
		rest = rest[digits+end:]
		factor := time.Duration(1)
		if unit == "d" {
			unit, factor = "h", 24
		}
		part, err := time.ParseDuration(number + unit)
		if err != nil {
			// It refuses what does not fit with the same error as what is malformed. One digit of the unit tells them apart.
			if _, err := time.ParseDuration("1" + unit); err == nil && strings.Count(number, ".") <= 1 && number != "." {
				return 0, errRange
			}
			return 0, errNotDuration
		}
		if part > math.MaxInt64/factor || part*factor > math.MaxInt64-total {
			return 0, errRange
		}
		total += part * factor
	}
	if s == "" || s == "-" {
		return 0, errNotDuration
	}
	return sign * total, nil
}

// FormatDuration writes a duration the way a person would: "7d", "1m30s", "500ms".
func FormatDuration(d time.Duration) string {
	if d <= -day || d >= day {
		if rest := d % day; rest == 0 {
			return fmt.Sprintf("%dd", d/day)
		}
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// unitDuration returns how long n units are. unit is "s", or anything else for milliseconds.
func unitDuration(n float64, unit string) (time.Duration, error) {
	scale := float64(time.Millisecond)
	if unit == "s" {
		scale = float64(time.Second)
	}
	if d := n * scale; math.Abs(d) < math.MaxInt64 {
		return time.Duration(math.Round(d)), nil
	}
	return 0, errRange
}

var sizeUnits = []struct {
	suffix string
	bytes  uint64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

// parseSize reads a number of bytes such as "512KiB", "1 MiB", "64kB" or "100B". A number without unit is bytes.
func parseSize(s string) (uint64, error) {
	number, factor := s, uint64(1)
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(s, u.suffix); ok {
			number, factor = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), n > math.MaxUint64/factor:
		return 0, errRange
	case err != nil:
		return 0, errNotSize
	}
	return n * factor, nil
}
