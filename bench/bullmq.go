package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

//go:embed node/bull.mjs node/package.json node/package-lock.json
var nodeFiles embed.FS

// bullDir is a directory with bullmq, as node/package-lock.json pins it, in the user's cache.
var bullDir = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	contents := map[string][]byte{}
	for _, name := range []string{"bull.mjs", "package.json", "package-lock.json"} {
		if contents[name], err = nodeFiles.ReadFile("node/" + name); err != nil {
			return "", err
		}
		sum.Write(contents[name])
	}
	dir := filepath.Join(cache, "nvent-bench", hex.EncodeToString(sum.Sum(nil)[:8]))
	done := filepath.Join(dir, "installed")
	if _, err := os.Stat(done); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	for name, content := range contents {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return "", err
		}
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("install bullmq: %w\n%s", err, out)
	}
	return dir, os.WriteFile(done, nil, 0o600)
})

// bull is bullmq in a process of Node, which measures itself.
func bull(measure string, parameters map[string]int) contestant {
	return contestant{"bullmq", func(ctx context.Context) ([]float64, error) {
		dir, err := bullDir()
		if err != nil {
			return nil, err
		}
		raw, err := json.Marshal(parameters)
		if err != nil {
			return nil, err
		}
		cmd := exec.CommandContext(ctx, "node", "bull.mjs", redisURL, measure, string(raw)) //nolint:gosec // our own program
		cmd.Dir = dir
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("node bull.mjs %s: %w\n%s", measure, err, errs.Bytes())
		}
		var values []float64
		return values, json.Unmarshal(out, &values)
	}}
}
