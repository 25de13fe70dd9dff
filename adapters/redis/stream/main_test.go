package stream_test

import (
	"testing"

	"github.com/nvent-go/nvent/adapters/redis/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }
