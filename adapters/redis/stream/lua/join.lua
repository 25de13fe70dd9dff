-- Puts a subscription in place. ARGV: member, lease and age in milliseconds, where to begin ('' is behind the last message),
-- and for a member of a group its name and whether the group is ephemeral. Returns the ID after which a subscription without
-- a group begins.
local member, lease, age, from, name, ephemeral = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
if from == '' then
  from = lastid()
elseif from == 'earliest' then
  from = '0-0'
end
if not name then
  call('HSET', state, 's:' .. member, from)
else
  if group(name) and call('HEXISTS', state, 'e:' .. name) == 1 and not attended(name) then destroy(name) end
  if not group(name) then
    call('XGROUP', 'CREATE', stream, name, from, 'MKSTREAM')
    if ephemeral == '1' then
      call('HSET', state, 'e:' .. name, 1)
    else
      call('HSET', state, 'keep', 1)
      call('PERSIST', stream)
      call('PERSIST', state)
    end
  end
  call('XGROUP', 'CREATECONSUMER', stream, name, member)
  call('HSET', state, 'i:' .. name, text(now))
end
call('ZADD', members, now + lease, member)
call('PEXPIRE', members, 100 * lease)
linger(age)
return from
