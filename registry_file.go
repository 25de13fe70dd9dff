//go:build !nvent_nofile

package nvent

import (
	"github.com/nvent-go/nvent/adapter"
	"github.com/nvent-go/nvent/adapter/file"
	"github.com/nvent-go/nvent/adapter/memory"
)

func builtIn() []adapter.Factory { return []adapter.Factory{memory.Factory(), file.Factory()} }
