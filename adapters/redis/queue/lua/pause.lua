-- Pauses or resumes the queue. ARGV: 2 "1" or "0". A queue that BullMQ 5 uses has its waiting jobs moved, as that does;
-- resuming always merges, so that jobs of either version are kept.
local meta = call('HMGET', META, 'paused', 'opts.maxLenEvents', 'version')
local PAUSED = base .. 'paused'
if ARGV[2] == '1' then
  call('HSET', META, 'paused', '1')
  if waitList(true, meta[3]) == PAUSED then
    if call('EXISTS', WAIT) == 1 and call('RENAMENX', WAIT, PAUSED) == 0 then
      while call('LMOVE', WAIT, PAUSED, 'RIGHT', 'LEFT') do end
    end
  end
  call('DEL', MARKER)
  event('paused')
  trimEvents(meta[2])
  return 1
end
call('HDEL', META, 'paused')
if call('EXISTS', PAUSED) == 1 and call('RENAMENX', PAUSED, WAIT) == 0 then
  while call('LMOVE', PAUSED, WAIT, 'RIGHT', 'LEFT') do end
end
if call('EXISTS', WAIT, PRIORITIZED) > 0 then markReady() end
markDelayed()
event('resumed')
trimEvents(meta[2])
return 1
