-- Renews subscriptions. ARGV: lease and age in milliseconds, how many messages to keep and after how long a group without members
-- is forgotten or '' where nothing is to be trimmed, and for each subscription its member, and the ID up to which it has read
-- or '' and the name of its group. Returns the last ID, how many members are dead, and which of these were not known.
local lease, age = tonumber(ARGV[1]), tonumber(ARGV[2])
local reply = { lastid(), 0 }
for i = 5, #ARGV, 3 do
  local member, cursor, name = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if not call('ZSCORE', members, member) then
    reply[#reply + 1] = member
  else
    call('ZADD', members, now + lease, member)
    if cursor ~= '' then
      call('HSET', state, 's:' .. member, cursor)
    elseif not group(name) then
      reply[#reply + 1] = member
    else
      call('HSET', state, 'i:' .. name, text(now))
    end
  end
end
-- Who has been dead for long has no claim on what is kept any more.
for _, member in ipairs(call('ZRANGEBYSCORE', members, '-inf', now - 10 * lease)) do
  call('HDEL', state, 's:' .. member)
  call('ZREM', members, member)
end
reply[2] = call('ZCOUNT', members, '-inf', now)
if ARGV[4] ~= '' then trim(tonumber(ARGV[3]), age, tonumber(ARGV[4])) end
call('PEXPIRE', members, 100 * lease)
linger(age)
return reply
