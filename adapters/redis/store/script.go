package store

import (
	"context"
	"crypto/sha1" //nolint:gosec // the name that Redis gives a script, not a secret
	_ "embed"
	"encoding/hex"

	"github.com/redis/rueidis"
)

//go:embed lua/lib.lua
var library string

//go:embed lua/commit.lua
var commitText string

//go:embed lua/purge.lua
var purgeText string

//go:embed lua/reindex.lua
var reindexText string

//go:embed lua/kv_set.lua
var kvSetText string

//go:embed lua/kv_clear.lua
var kvClearText string

//go:embed lua/raise.lua
var raiseText string

var (
	commitScript  = newScript(library + commitText)
	purgeScript   = newScript(library + purgeText)
	reindexScript = newScript(library + reindexText)
	raiseScript   = newScript(raiseText)
	kvSetScript   = newScript(library + kvSetText)
	kvClearScript = newScript(library + kvClearText)
)

// script is a Lua script with the name that the server knows it by.
type script struct{ text, sha string }

func newScript(text string) *script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see above
	return &script{text, hex.EncodeToString(sum[:])}
}

// run runs a script on a shard, given what the shard's keys begin with.
func (s *Store) run(ctx context.Context, sc *script, shard string, args ...string) rueidis.RedisResult {
	return s.runOn(ctx, sc, shard+"s", args...)
}

// runOn runs a script. A server that does not know it yet, after a restart or a failover, gets its text.
func (s *Store) runOn(ctx context.Context, sc *script, key string, args ...string) rueidis.RedisResult {
	r := s.client.Do(ctx, s.client.B().Evalsha().Sha1(sc.sha).Numkeys(1).Key(key).Arg(args...).Build())
	if answer, ok := rueidis.IsRedisErr(r.Error()); ok && answer.IsNoScript() {
		r = s.client.Do(ctx, s.client.B().Eval().Script(sc.text).Numkeys(1).Key(key).Arg(args...).Build())
	}
	return r
}

// runEach runs a script on many shards at once.
func (s *Store) runEach(ctx context.Context, sc *script, shards []string, args ...string) []rueidis.RedisResult {
	commands := make(rueidis.Commands, len(shards))
	for i, shard := range shards {
		commands[i] = s.client.B().Evalsha().Sha1(sc.sha).Numkeys(1).Key(shard + "s").Arg(args...).Build()
	}
	results := s.client.DoMulti(ctx, commands...)
	for i := range results {
		if answer, ok := rueidis.IsRedisErr(results[i].Error()); ok && answer.IsNoScript() {
			results[i] = s.run(ctx, sc, shards[i], args...)
		}
	}
	return results
}
