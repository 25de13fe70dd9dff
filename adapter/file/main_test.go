package file_test

import (
	"testing"

	"github.com/nvent-go/nvent/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }
