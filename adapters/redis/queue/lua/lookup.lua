-- Reads jobs. ARGV from 2 on: IDs. Replies {now, then for each job: id, state, ready at (ms; delayed jobs), hash}.
local reply = {int(now)}
for i = 2, #ARGV do
  local id = ARGV[i]
  local h = call('HGETALL', base .. id)
  if #h > 0 then
    local state, at = stateOf(id), ''
    if state == 'delayed' then at = int(math.floor(tonumber(call('ZSCORE', DELAYED, id)) / 4096)) end
    reply[#reply + 1] = {id, state, at, h}
  end
end
return reply
