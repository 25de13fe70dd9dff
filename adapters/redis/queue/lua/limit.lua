-- Sets the limits of the queue, as BullMQ's setGlobalConcurrency and setGlobalRateLimit do. ARGV: 2 concurrency, 3 jobs in a
-- window, 4 window (ms); 0 is none.
local function put(field, value)
  if value == '0' then call('HDEL', META, field) else call('HSET', META, field, value) end
end
put('concurrency', ARGV[2])
put('max', ARGV[3])
put('duration', ARGV[4])
if call('HEXISTS', META, 'paused') == 0 and call('EXISTS', WAIT, PRIORITIZED) > 0 then markReady() end
return 1
