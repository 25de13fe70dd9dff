-- Shared by all scripts: it is put before each of them. KEYS[1] is the queue's meta key, which sends the script to the right
-- slot; the other keys are derived from ARGV[1], the base "{prefix}:{queue}:", and are in the same slot.
local call = redis.call
local base = ARGV[1]
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local EVENTS, META, MARKER = base .. 'events', base .. 'meta', base .. 'marker'
local WAIT, ACTIVE, DELAYED, PRIORITIZED = base .. 'wait', base .. 'active', base .. 'delayed', base .. 'prioritized'

local function int(n) return string.format('%.0f', n) end

local function event(...) call('XADD', EVENTS, '*', 'event', ...) end

-- trimEvents bounds the events stream; the bound is BullMQ's setting, created where nobody has set it.
local function trimEvents(max)
  if not max then
    max = '10000'
    call('HSET', META, 'opts.maxLenEvents', max)
  end
  call('XTRIM', EVENTS, 'MAXLEN', '~', max)
end

-- waitList is where jobs of priority 0 are added: a queue that BullMQ 5 has paused keeps its jobs in "paused".
local function waitList(paused, version)
  if paused and version and string.find(version, '^bullmq:5%.') then return base .. 'paused' end
  return WAIT
end

local function isMaxed(concurrency)
  return concurrency and call('LLEN', ACTIVE) >= tonumber(concurrency)
end

-- markReady wakes one worker that waits.
local function markReady() call('ZADD', MARKER, '0', '0') end

-- markDelayed tells workers that wait when the next delayed job is due.
local function markDelayed()
  local head = call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')
  if head[2] then call('ZADD', MARKER, int(math.floor(tonumber(head[2]) / 4096)), '1') end
end

-- addDelayed orders jobs that are due in the same millisecond as they came.
local function addDelayed(id, at)
  local low, high = at * 4096, at * 4096 + 4095
  local last = call('ZREVRANGEBYSCORE', DELAYED, int(high), int(low), 'WITHSCORES', 'LIMIT', 0, 1)
  local score = low
  if last[2] then score = math.min(tonumber(last[2]) + 1, high) end
  call('ZADD', DELAYED, int(score), id)
end

-- addPrioritized: lower numbers first, in order of arrival within a number.
local function addPrioritized(id, priority)
  local n = call('INCR', base .. 'pc')
  call('ZADD', PRIORITIZED, int(priority * 4294967296 + n % 4294967296), id)
end

-- addPrioritizedFirst puts a job before the others of its number: it was first in line before.
local function addPrioritizedFirst(id, priority)
  local low = priority * 4294967296
  local first = call('ZRANGEBYSCORE', PRIORITIZED, int(low), int(low + 4294967295), 'WITHSCORES', 'LIMIT', 0, 1)
  if not first[2] then return addPrioritized(id, priority) end
  call('ZADD', PRIORITIZED, int(math.max(low, tonumber(first[2]) - 1)), id)
end

-- deleteJobs deletes finished or removed jobs with all that belongs to them.
local function deleteJobs(ids)
  for from = 1, #ids, 500 do
    local keys, n = {}, 0
    for i = from, math.min(from + 499, #ids) do
      local k = base .. ids[i]
      keys[n + 1], keys[n + 2], keys[n + 3] = k, k .. ':logs', k .. ':dependencies'
      keys[n + 4], keys[n + 5], keys[n + 6] = k .. ':processed', k .. ':failed', k .. ':unsuccessful'
      n = n + 6
    end
    call('UNLINK', unpack(keys))
  end
end

-- stateOf says where a job is: in BullMQ's words, which Go translates.
local function stateOf(id)
  if call('ZSCORE', base .. 'completed', id) then return 'completed' end
  if call('ZSCORE', base .. 'failed', id) then return 'failed' end
  if call('ZSCORE', DELAYED, id) then return 'delayed' end
  if call('ZSCORE', PRIORITIZED, id) then return 'prioritized' end
  if call('ZSCORE', base .. 'waiting-children', id) then return 'waiting-children' end
  if call('EXISTS', base .. id .. ':lock') == 1 or call('LPOS', ACTIVE, id) then return 'active' end
  return 'waiting'
end

-- releaseDedup frees the deduplication ID of a job that has ended.
local function releaseDedup(id, deid)
  if not deid then return end
  local key = base .. 'de:' .. deid
  if call('GET', key) == id and call('PTTL', key) < 0 then call('DEL', key) end
end
