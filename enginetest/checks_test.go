package enginetest_test

import (
	"testing"

	"github.com/nvent-go/nvent/enginetest"
)

// TestWholeFlowsOnMemory runs whole flows over the memory adapters.
func TestWholeFlowsOnMemory(t *testing.T) { enginetest.Test(t, onMemory()) }
