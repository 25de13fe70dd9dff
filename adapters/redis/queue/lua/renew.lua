-- Renews leases. ARGV from 2 on, for each: id, token, lease (ms). Replies for each 1 renewed, 0 lost, -1 the job is gone.
local n = (#ARGV - 1) / 3
local locks = {}
for i = 1, n do locks[i] = base .. ARGV[3 * i - 1] .. ':lock' end
local tokens = call('MGET', unpack(locks))
local reply, mine = {}, {}
for i = 1, n do
  local id = ARGV[3 * i - 1]
  if tokens[i] == ARGV[3 * i] then
    call('PEXPIRE', locks[i], ARGV[3 * i + 1])
    mine[#mine + 1] = id
    reply[i] = 1
  elseif call('EXISTS', base .. id) == 0 then
    reply[i] = -1
  else
    reply[i] = 0
  end
end
if #mine > 0 then call('SREM', base .. 'stalled', unpack(mine)) end
return reply
