-- Sets a key. ARGV: key, value, time to live in milliseconds or 0, then '' or conditions: 'n' (absent), 'e' and a value.
local name, value, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])
local key = prefix .. 'k:' .. name
if string.find(ARGV[4], 'n', 1, true) and call('EXISTS', key) == 1 then return 0 end
if string.find(ARGV[4], 'e', 1, true) and call('GET', key) ~= ARGV[5] then return 0 end
-- The name first: a name without a key does no harm, where a moving slot of a Cluster ends this in the middle.
call('ZADD', prefix .. 'keys', 0, name)
if ttl > 0 then
  local at = math.ceil(clock() / 1000) + ttl
  call('ZADD', due, text(at * 1000), 'k' .. name)
  call('SET', key, value, 'PXAT', text(at))
else
  call('ZREM', due, 'k' .. name)
  call('SET', key, value)
end
return 1
