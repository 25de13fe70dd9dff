package queue

import (
	"context"
	_ "embed"

	"github.com/redis/rueidis"

	"github.com/nvent-go/nvent/adapters/redis/internal/conn"
)

// The scripts. Each begins with lib.lua; those that end jobs have parent.lua as well.
var (
	//go:embed lua/lib.lua
	lib string
	//go:embed lua/parent.lua
	parentLib string
	//go:embed lua/add.lua
	addSource string
	//go:embed lua/work.lua
	workSource string
	//go:embed lua/renew.lua
	renewSource string
	//go:embed lua/recover.lua
	recoverSource string
	//go:embed lua/apply.lua
	applySource string
	//go:embed lua/pause.lua
	pauseSource string
	//go:embed lua/annotate.lua
	annotateSource string
	//go:embed lua/lookup.lua
	lookupSource string
	//go:embed lua/limit.lua
	limitSource string
	//go:embed lua/schedule.lua
	scheduleSource string
)

var (
	addScript      = rueidis.NewLuaScript(lib + addSource)
	workScript     = rueidis.NewLuaScript(lib + parentLib + workSource)
	renewScript    = rueidis.NewLuaScript(lib + renewSource)
	recoverScript  = rueidis.NewLuaScript(lib + recoverSource)
	applyScript    = rueidis.NewLuaScript(lib + parentLib + applySource)
	pauseScript    = rueidis.NewLuaScript(lib + pauseSource)
	annotateScript = rueidis.NewLuaScript(lib + annotateSource)
	lookupScript   = rueidis.NewLuaScript(lib + lookupSource)
	limitScript    = rueidis.NewLuaScript(lib + limitSource)
	scheduleScript = rueidis.NewLuaScript(lib + scheduleSource)
)

// run runs a script on a queue. Its errors are in the words of package adapter.
func (q *Queue) run(ctx context.Context, op string, script *rueidis.Lua, base string, args ...string) (rueidis.RedisMessage, error) {
	if q.closed() {
		return rueidis.RedisMessage{}, conn.Closed(op)
	}
	if ctx.Err() != nil {
		return rueidis.RedisMessage{}, conn.Error(ctx, op, ctx.Err())
	}
	argv := make([]string, 0, len(args)+1)
	reply, err := script.Exec(ctx, q.client, []string{base + "meta"}, append(append(argv, base), args...)).ToMessage()
	if err != nil {
		return reply, conn.Error(ctx, op, err)
	}
	return reply, nil
}
