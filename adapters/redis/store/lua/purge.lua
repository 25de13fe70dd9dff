-- Removes up to ARGV[1] things that have expired.
local now, limit, n = clock(), tonumber(ARGV[1]), 0
for _, member in ipairs(call('ZRANGEBYSCORE', due, '-inf', text(now), 'LIMIT', 0, limit)) do
  if n >= limit then break end
  local kind, name = string.sub(member, 1, 1), string.sub(member, 2)
  if kind == 'd' then
    local coll, partition, rest = string.match(name, '^([^:]*):([^/]*)(.*)$')
    local field = coll .. ':' .. rest
    call('EXISTS', KEYS[1], prefix .. 'p:' .. partition) -- ends the script if the slot is on the move, see commit
    remove(partition, field, call('HGET', prefix .. 'p:' .. partition, 'i' .. field))
    n = n + 1
  elseif kind == 'p' then
    call('EXISTS', KEYS[1], prefix .. 'p:' .. name) -- likewise
    local docs, logs = pair(call('HGET', prefix .. 'p:' .. name, '@') or '0,0')
    if past(docs, now) then
      n = n + empty(name, limit - n)
    elseif past(logs, now) then
      n = n + trimall(name, docs, limit - n)
    else
      call('ZREM', due, member)
    end
  elseif call('EXISTS', prefix .. 'k:' .. name) == 0 then
    call('ZREM', due, member)
    call('ZREM', prefix .. 'keys', name)
    n = n + 1
  elseif call('PTTL', prefix .. 'k:' .. name) == -1 then
    call('ZREM', due, member)
  end
end
return n
