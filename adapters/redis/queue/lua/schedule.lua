-- Adds the next job of a scheduler, when a worker has taken the one before. ARGV: 2 scheduler, 3 ID of the job that was taken,
-- 4 next time (ms), 5 opts. Only the current job's worker adds one, and once: the sorted set says which job that is.
local scheduler, producer, at = ARGV[2], ARGV[3], tonumber(ARGV[4])
local REPEAT = base .. 'repeat'
local current = call('ZSCORE', REPEAT, scheduler)
if not current or producer ~= 'repeat:' .. scheduler .. ':' .. int(tonumber(current)) then return 0 end
local id = 'repeat:' .. scheduler .. ':' .. ARGV[4]
local key, own = base .. id, base .. 'repeat:' .. scheduler
if call('EXISTS', key) == 1 then return 0 end
local meta = call('HMGET', META, 'paused', 'opts.maxLenEvents', 'version', 'concurrency')
local h = call('HMGET', own, 'name', 'data')
local ok, opts = pcall(cjson.decode, ARGV[5])
local priority = ok and tonumber(opts.priority or 0) or 0
local delay = math.max(0, at - now)
call('ZADD', REPEAT, ARGV[4], scheduler)
call('HINCRBY', own, 'ic', 1)
call('INCR', base .. 'id')
call('HSET', key, 'name', h[1] or '', 'data', h[2] or '{}', 'opts', ARGV[5], 'timestamp', int(now), 'delay', int(delay),
  'priority', int(priority), 'rjk', scheduler)
event('added', 'jobId', id, 'name', h[1] or '')
if delay > 0 then
  addDelayed(id, at)
  event('delayed', 'jobId', id, 'delay', ARGV[4])
  markDelayed()
else
  if priority ~= 0 then addPrioritized(id, priority) else call('LPUSH', waitList(meta[1], meta[3]), id) end
  event('waiting', 'jobId', id)
  if not meta[1] and not isMaxed(meta[4]) then markReady() end
end
trimEvents(meta[2])
return 1
