-- Hands jobs whose lease has ended to others, and removes finished jobs that were kept long enough. ARGV: 2 how often a job
-- that does not say may be delivered again, 3 and 4 how long completed and failed jobs that do not say are kept (ms, -1 = for
-- ever), then tokens of takes whose reply was lost: what they took goes back as if it had never been taken.
-- Replies the time (ms from now) when the next lease ends; -1: no job is active.
local meta = call('HMGET', META, 'paused', 'opts.maxLenEvents', 'version', 'concurrency')
local lost = {}
for i = 5, #ARGV do lost[ARGV[i]] = true end
local ids = call('LRANGE', ACTIVE, 0, -1)
local soonest, moved = -1, 0
for from = 1, #ids, 500 do
  local locks = {}
  for i = from, math.min(from + 499, #ids) do locks[#locks + 1] = base .. ids[i] .. ':lock' end
  local tokens = call('MGET', unpack(locks))
  for k = 1, #locks do
    local id = ids[from + k - 1]
    local key = base .. id
    local token = tokens[k]
    if token and not lost[token] then
      local ttl = call('PTTL', locks[k])
      if ttl > 0 and (soonest < 0 or ttl < soonest) then soonest = ttl end
    elseif string.sub(id, 1, 2) == '0:' or call('EXISTS', key) == 0 then
      call('LREM', ACTIVE, -1, id)
    elseif call('LREM', ACTIVE, -1, id) > 0 then
      call('SREM', base .. 'stalled', id)
      local h = call('HMGET', key, 'opts', 'rjk', 'priority')
      if token then
        call('DEL', locks[k])
        call('HINCRBY', key, 'ats', -1)
      else
        local times = call('HINCRBY', key, 'stc', 1)
        -- A scheduler's job goes on for ever: with it the schedule would end.
        local live = h[2] and call('ZSCORE', base .. 'repeat', h[2])
        if times > (tonumber(string.match(h[1] or '', '"nr":(%d+)') or ARGV[2])) and not live then
          call('HSET', key, 'defa', 'job stalled more than allowable limit')
        end
      end
      local priority = token and tonumber(h[3] or 0) or 0
      if priority ~= 0 then addPrioritizedFirst(id, priority) else call('RPUSH', waitList(meta[1], meta[3]), id) end
      event('waiting', 'jobId', id, 'prev', 'active')
      if not token then event('stalled', 'jobId', id) end
      moved = moved + 1
    end
  end
end
if moved > 0 then
  trimEvents(meta[2])
  if not meta[1] and not isMaxed(meta[4]) then markReady() end
end

-- keepAge returns how long the options of a job keep it, in ms.
local function keepAge(json, field, default)
  local ok, opts = pcall(cjson.decode, json or '{}')
  if not ok or type(opts) ~= 'table' then return default end
  local rule = opts[field]
  if type(rule) == 'table' then
    if rule.age then return rule.age * 1000 end
    return default
  end
  if type(rule) == 'number' or rule == false then return -1 end
  return default
end
for set, how in pairs({completed = {'removeOnComplete', tonumber(ARGV[3])}, failed = {'removeOnFail', tonumber(ARGV[4])}}) do
  local old = call('ZRANGE', base .. set, 0, 99, 'WITHSCORES')
  local gone = {}
  for i = 1, #old, 2 do
    local age = keepAge(call('HGET', base .. old[i], 'opts'), how[1], how[2])
    if age >= 0 and tonumber(old[i + 1]) <= now - age then gone[#gone + 1] = old[i] end
  end
  if #gone > 0 then
    call('ZREM', base .. set, unpack(gone))
    deleteJobs(gone)
  end
end
return soonest
