-- Ends deliveries, then takes jobs: as many of both as there are, in one call.
-- ARGV: 2 token of what is taken, 3 worker's name, 4 how many to take at most (0: if jobs wait, somebody else is woken), 5 default lease (ms), 6 number of settlements;
-- then for each settlement: id, token, verdict, payload (result or error), delay (ms), keep age (ms; -1 = for ever), keep count
-- (-1 = all, 0 = none), attempts made so far, slow (1: it has a parent or a deduplication ID, so look at the hash).
-- Verdicts: c complete, r retry, f fail, l release, d discard.
-- Replies {codes, jobs, wait (ms until the rate limit ends), next delayed (ms, absolute), now}. Codes are BullMQ's: 0 done,
-- -1 no such job, -2 not locked, -3 not active, -4 children pending, -6 locked by another, -9 children have failed.
local token, worker, want, lease, settling = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local meta = call('HMGET', META, 'paused', 'concurrency', 'max', 'duration', 'opts.maxLenEvents', 'version')
local STALLED = base .. 'stalled'
local stamp = int(now)
local micro = (time[2] % 1000) / 1000

-- trim removes what a finished job's rule does not keep.
local function trim(set, age, count)
  local gone
  if age >= 0 then
    gone = call('ZRANGEBYSCORE', set, '-inf', int(now - age), 'LIMIT', 0, 1000)
    if #gone > 0 then
      call('ZREM', set, unpack(gone))
      deleteJobs(gone)
    end
  end
  if count > 0 then
    local over = call('ZCARD', set) - count
    if over > 0 then
      gone = call('ZRANGE', set, 0, math.min(over, 1000) - 1)
      call('ZREM', set, unpack(gone))
      deleteJobs(gone)
    end
  end
end

-- appendStack adds an error to the job's list of errors, as many as its options keep.
local function appendStack(key, text, opts)
  local stack = {}
  local old = call('HGET', key, 'stacktrace')
  if old then
    local ok, list = pcall(cjson.decode, old)
    if ok and type(list) == 'table' then stack = list end
  end
  stack[#stack + 1] = text
  local limit = tonumber(opts.stackTraceLimit)
  if limit and limit >= 0 then
    while #stack > limit do table.remove(stack, 1) end
  end
  if #stack == 0 then return '[]' end
  return cjson.encode(stack)
end

local function optionsOf(key)
  local ok, opts = pcall(cjson.decode, call('HGET', key, 'opts') or '{}')
  if ok and type(opts) == 'table' then return opts end
  return {}
end

-- back puts a job where it waits. front: it is next in line.
local ready = false
local function back(id, key, front, lifo)
  local priority = tonumber(call('HGET', key, 'priority') or 0) or 0
  if priority ~= 0 then
    if front then addPrioritizedFirst(id, priority) else addPrioritized(id, priority) end
  else
    local list = waitList(meta[1], meta[6])
    if front or lifo then call('RPUSH', list, id) else call('LPUSH', list, id) end
  end
  event('waiting', 'jobId', id, 'prev', 'active')
  ready = true
end

local codes, done = {}, false
if settling > 0 then
  local locks, jobs, kids = {}, {}, {}
  for i = 1, settling do
    local key = base .. ARGV[9 * i - 2]
    jobs[i], locks[i] = key, key .. ':lock'
    kids[2 * i - 1], kids[2 * i] = key .. ':dependencies', key .. ':unsuccessful'
  end
  local tokens = call('MGET', unpack(locks))
  local missing = call('EXISTS', unpack(jobs)) < settling
  local family = call('EXISTS', unpack(kids)) > 0
  local unlocked, ended, rules, twice = {}, {}, {}, {}
  local finished = {completed = {}, failed = {}}
  for i = 1, settling do
    local a = 9 * i - 2
    local id, mine, verdict, payload, key = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], jobs[i]
    local code = 0
    if missing and call('EXISTS', key) == 0 then
      code = -1
    elseif twice[id] then -- the same delivery twice in one call ends once
      code = -2
    elseif tokens[i] ~= mine then
      if tokens[i] then code = -6 else code = -2 end
    elseif family and verdict == 'c' then
      if call('EXISTS', kids[2 * i - 1]) == 1 then code = -4 elseif call('EXISTS', kids[2 * i]) == 1 then code = -9 end
    end
    if code == 0 and call('LREM', ACTIVE, -1, id) == 0 then code = -3 end
    if code == 0 then
      twice[id] = true
      unlocked[#unlocked + 1], ended[#ended + 1] = locks[i], id
      local atm, parent = tonumber(ARGV[a + 7]) + 1, false
      local slow = ARGV[a + 8] == '1'
      if slow then
        local h = call('HMGET', key, 'parentKey', 'parent', 'deid')
        parent = h[1] and h[1] ~= '' and h[2] and {h[1], h[2]}
        if verdict == 'c' or verdict == 'f' or verdict == 'd' then releaseDedup(id, h[3]) end
      end
      if verdict == 'c' or verdict == 'f' then
        done = true
        local age, count = ARGV[a + 5], ARGV[a + 6]
        local set, opts = 'completed', nil
        if verdict == 'f' then
          set, opts = 'failed', optionsOf(key)
        end
        if count ~= '0' then
          if verdict == 'c' then
            call('HSET', key, 'returnvalue', payload, 'finishedOn', stamp, 'atm', atm)
          else
            call('HSET', key, 'failedReason', payload, 'finishedOn', stamp, 'atm', atm, 'stacktrace', appendStack(key, payload, opts))
            call('HDEL', key, 'defa')
          end
          local list = finished[set]
          -- The order within a millisecond matters to what is kept: fractions keep it.
          list[#list + 1] = string.format('%.3f', now + math.min(micro + i / 4096, 0.999))
          list[#list + 1] = id
          local last = rules[#rules]
          if not last or last[1] ~= set or last[2] ~= age or last[3] ~= count then rules[#rules + 1] = {set, age, count} end
        end
        if verdict == 'c' then
          event('completed', 'jobId', id, 'returnvalue', payload, 'prev', 'active')
          if parent then childCompleted(parent[1], parent[2], key, payload) end
        else
          event('failed', 'jobId', id, 'failedReason', payload, 'prev', 'active')
          if atm >= (tonumber(opts.attempts) or 0) then event('retries-exhausted', 'jobId', id, 'attemptsMade', atm) end
          if parent then childFailed(parent[1], parent[2], key, payload) end
        end
        if count == '0' then deleteJobs({id}) end
      elseif verdict == 'd' then
        deleteJobs({id})
        event('removed', 'jobId', id, 'prev', 'active')
        if parent then childGone(parent[1], parent[2], key) end
      else
        local delay = tonumber(ARGV[a + 4])
        local opts = {}
        if verdict == 'r' then
          opts = optionsOf(key)
          call('HSET', key, 'atm', atm, 'failedReason', payload, 'stacktrace', appendStack(key, payload, opts))
        end
        if delay > 0 then
          call('HSET', key, 'delay', int(delay))
          addDelayed(id, now + delay)
          event('delayed', 'jobId', id, 'delay', int(now + delay))
          markDelayed()
        else
          back(id, key, verdict == 'l', opts.lifo)
        end
      end
    end
    codes[i] = code
  end
  if #unlocked > 0 then
    call('DEL', unpack(unlocked))
    call('SREM', STALLED, unpack(ended))
  end
  for set, list in pairs(finished) do
    if #list > 0 then call('ZADD', base .. set, unpack(list)) end
  end
  for i = 1, #rules do trim(base .. rules[i][1], tonumber(rules[i][2]), tonumber(rules[i][3])) end
  if #unlocked > 0 then trimEvents(meta[5]) end
end

-- What is due waits from now on.
local due = call('ZRANGEBYSCORE', DELAYED, '-inf', int((now + 1) * 4096 - 1), 'LIMIT', 0, 1000)
if #due > 0 then
  call('ZREM', DELAYED, unpack(due))
  local list = waitList(meta[1], meta[6])
  for i = 1, #due do
    local id = due[i]
    local key = base .. id
    local priority = tonumber(call('HGET', key, 'priority') or 0) or 0
    if priority == 0 then call('LPUSH', list, id) else addPrioritized(id, priority) end
    call('HSET', key, 'delay', '0')
    event('waiting', 'jobId', id, 'prev', 'delayed')
  end
  ready = true
end
local upcoming = 0
local head = call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')
if head[2] then upcoming = math.floor(tonumber(head[2]) / 4096) end

local limited, room = 0, want
if meta[2] then room = math.min(room, tonumber(meta[2]) - call('LLEN', ACTIVE)) end
local LIMITER = base .. 'limiter'
local used = call('GET', LIMITER)
if used then
  local max = tonumber(meta[3] or 0)
  used = tonumber(used)
  if used >= 9007199254740991 or (max > 0 and used >= max) then
    limited, room = math.max(call('PTTL', LIMITER), 1), 0
  elseif max > 0 then
    room = math.min(room, max - used)
  end
elseif meta[3] then
  room = math.min(room, tonumber(meta[3]))
end

local taken = {}
if room > 0 and not meta[1] then
  local ids = {}
  -- Jobs above normal priority are nvent's own: BullMQ has none, and would put their negative numbers before its own.
  local first = call('ZRANGE', PRIORITIZED, 0, 0, 'WITHSCORES')
  if first[2] and tonumber(first[2]) < 0 then
    ids = call('ZRANGEBYSCORE', PRIORITIZED, '-inf', '(0', 'LIMIT', 0, room)
    call('ZREM', PRIORITIZED, unpack(ids))
  end
  if #ids < room then
    local list = call('RPOP', WAIT, room - #ids) or {}
    for i = 1, #list do
      if string.sub(list[i], 1, 2) ~= '0:' then ids[#ids + 1] = list[i] end
    end
  end
  if #ids < room then
    local z = first[2] and call('ZPOPMIN', PRIORITIZED, room - #ids) or {}
    for i = 1, #z, 2 do ids[#ids + 1] = z[i] end
    if #z == 0 then call('DEL', base .. 'pc') end
  end
  local active, counted = {}, 0
  for i = 1, #ids do
    local id = ids[i]
    local key = base .. id
    local h = call('HMGET', key, 'name', 'data', 'opts', 'timestamp', 'delay', 'priority', 'atm', 'attemptsMade', 'ats', 'stc', 'defa',
      'rjk', 'parentKey', 'deid', 'failedReason', 'nx', 'progress')
    if h[1] or h[2] then -- an ID without a job was left behind by somebody; it is dropped
      local ats = (tonumber(h[9] or 0) or 0) + 1
      call('HSET', key, 'processedOn', stamp, 'ats', ats, 'pb', worker)
      local own = h[3] and string.find(h[3], '"nl":', 1, true) and string.match(h[3], '"nl":(%d+)')
      call('SET', key .. ':lock', token, 'PX', own or lease)
      event('active', 'jobId', id, 'prev', 'waiting')
      h[9] = tostring(ats)
      h[18] = id
      active[#active + 1] = id
      taken[#taken + 1] = h
      if not h[11] then counted = counted + 1 end
    end
  end
  if #active > 0 then call('LPUSH', ACTIVE, unpack(active)) end
  if meta[3] and counted > 0 then
    if call('INCRBY', LIMITER, counted) == counted then call('PEXPIRE', LIMITER, meta[4] or '1000') end
  end
end

if not meta[1] and (ready or settling > 0 or #taken > 0 or want == 0) and call('EXISTS', WAIT, PRIORITIZED) > 0 then
  if limited == 0 and not isMaxed(meta[2]) then markReady() end
elseif done and #taken == 0 and call('EXISTS', WAIT, ACTIVE, PRIORITIZED) == 0 then
  event('drained')
end
return {codes, taken, limited, upcoming, stamp}
