-- Ends a subscription. ARGV: member, and the name of its group. What it did not acknowledge is for the others.
local member, name = ARGV[1], ARGV[2]
call('HDEL', state, 's:' .. member)
call('ZREM', members, member)
if not name or not group(name) then return 1 end
if call('HGET', state, 'x:' .. name) == member then call('HDEL', state, 'x:' .. name) end
if call('HEXISTS', state, 'e:' .. name) == 1 and not attended(name) then
  destroy(name)
  return 1
end
if #call('XPENDING', stream, name, '-', '+', 1, member) == 0 then
  call('XGROUP', 'DELCONSUMER', stream, name, member)
else
  call('ZADD', members, now - 1, member) -- dead: the others look for these
end
call('PUBLISH', wake, 'left')
return 1
