-- Takes over what members have not acknowledged that are dead or have left. ARGV: group, member, how many entries at most.
-- Returns ID, number of this delivery and fields of each.
local name, me, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local taken = {}
for _, raw in ipairs(info('CONSUMERS', name)) do
  local c = named(raw)
  if c.name ~= me and not alive(c.name) then
    local pending = c.pending > 0 and limit > 0 and call('XPENDING', stream, name, '-', '+', limit, c.name) or {}
    for _, p in ipairs(pending) do
      local got = call('XCLAIM', stream, name, me, 0, p[1])
      if #got > 0 and got[1] and got[1][2] then
        taken[#taken + 1] = { p[1], p[4] + 1, got[1][2] }
      else
        call('XACK', stream, name, p[1]) -- it was trimmed
      end
      limit = limit - 1
    end
    if #pending == c.pending then
      call('XGROUP', 'DELCONSUMER', stream, name, c.name)
      call('ZREM', members, c.name)
    end
  end
end
return taken
