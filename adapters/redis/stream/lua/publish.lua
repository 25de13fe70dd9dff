-- Adds messages. ARGV: how many to keep, and for how many milliseconds; how many at most, read or not; after how long a group
-- without members is forgotten; and for each message the number of its fields and values, and these.
local maxlen, age, most, forget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local len = call('XLEN', stream)
if len >= most then
  trim(maxlen, age, forget)
  len = call('XLEN', stream)
  if len >= most then return 0 end
end
local i, n, last = 5, 0
while i <= #ARGV do
  local width = tonumber(ARGV[i])
  last = call('XADD', stream, '*', unpack(ARGV, i + 1, i + width))
  i = i + 1 + width
  n = n + 1
end
local known = call('HMGET', state, 'keep', 'lingers')
-- How long a topic lingers is set anew each quarter of that time.
if len == 0 or not known[1] and now - tonumber(known[2] or '0') > age / 4 then
  call('HSET', state, 'last', last, 'lingers', text(now))
  linger(math.ceil(age * 5 / 4))
else
  call('HSET', state, 'last', last)
end
call('PUBLISH', wake, '')
-- Looking at every group costs more than a message does: every hundredth message pays for it.
if math.floor(len / 100) ~= math.floor((len + n) / 100) then trim(maxlen, age, forget) end
return 1
