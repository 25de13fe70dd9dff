package stream

import (
	"context"
	"crypto/sha1" //nolint:gosec // the name that Redis gives a script, not a secret
	_ "embed"
	"encoding/hex"

	"github.com/redis/rueidis"
)

//go:embed lua/lib.lua
var library string

//go:embed lua/publish.lua
var publishText string

//go:embed lua/join.lua
var joinText string

//go:embed lua/leave.lua
var leaveText string

//go:embed lua/renew.lua
var renewText string

//go:embed lua/claim.lua
var claimText string

//go:embed lua/mine.lua
var mineText string

//go:embed lua/again.lua
var againText string

//go:embed lua/hold.lua
var holdText string

var (
	publishScript = newScript(publishText)
	joinScript    = newScript(joinText)
	leaveScript   = newScript(leaveText)
	renewScript   = newScript(renewText)
	claimScript   = newScript(claimText)
	mineScript    = newScript(mineText)
	againScript   = newScript(againText)
	holdScript    = newScript(holdText)
)

// script is a Lua script with the name that the server knows it by.
type script struct{ text, sha string }

func newScript(body string) *script {
	text := library + body
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see above
	return &script{text, hex.EncodeToString(sum[:])}
}

// call is a script with what it is to be run on.
type call struct {
	*script
	key  string
	args []string
}

func (c *call) command(b rueidis.Builder) rueidis.Completed {
	return b.Evalsha().Sha1(c.sha).Numkeys(1).Key(c.key).Arg(c.args...).Build()
}

// run runs scripts in one round trip. A server that does not know one yet, after a restart or a failover, gets its text.
func (s *Stream) run(ctx context.Context, calls ...call) []rueidis.RedisResult {
	commands := make(rueidis.Commands, len(calls))
	for i := range calls {
		commands[i] = calls[i].command(s.client.B())
	}
	results := s.client.DoMulti(ctx, commands...)
	for i, c := range calls {
		if answer, ok := rueidis.IsRedisErr(results[i].Error()); ok && answer.IsNoScript() {
			results[i] = s.client.Do(ctx, s.client.B().Eval().Script(c.text).Numkeys(1).Key(c.key).Arg(c.args...).Build())
		}
	}
	return results
}
