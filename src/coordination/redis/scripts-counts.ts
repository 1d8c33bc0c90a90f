import { PRELUDE } from './prelude.ts';
import { Script } from './script.ts';

/**
 * ARGV: number of holds, (key, maximum)s, (key, count, milliseconds)s of rates. A rate is kept as the time at which its bucket is full again.
 * Answers how many places of each hold were taken before, and what refused.
 */
export const TAKE = new Script(`${PRELUDE}
awake()
local refused = stranger()
if refused then return refused end
local holds = tonumber(ARGV[3])
local keys, taken = {}, {}
for i = 1, holds do
  keys[i] = ARGV[2 + 2 * i]
  taken[i] = 0
end
if holds > 0 then
  local relays, counted = live(), false
  for _, relay in ipairs(relays) do counted = counted or relay == id end
  if not counted then relays[#relays + 1] = id end
  for _, relay in ipairs(relays) do
    for i, count in ipairs(call('HMGET', key('holds:' .. relay), unpack(keys))) do
      if count then taken[i] = taken[i] + math.max(0, number(count)) end
    end
  end
end
if call('ZCOUNT', key('unsure'), '(' .. now, horizon) > 0 then return {'rebuilding'} end
local wanted = {}
for i = 1, holds do
  local before, maximum = wanted[keys[i]] or 0, tonumber(ARGV[3 + 2 * i])
  if taken[i] + before >= maximum then return {'refused', taken, i, taken[i] + before, 0} end
  wanted[keys[i]] = before + 1
end
local exact = micros / 1000
local full = {}
for i = 1, (#ARGV - 3 - 2 * holds) / 3 do
  local at = 4 + 2 * holds + 3 * (i - 1)
  local rate, count, per = key('rate:' .. ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local before = math.min(math.max(full[rate] or number(call('GET', rate)), exact), exact + per)
  local after = before + per / count
  local early = after - exact - per
  if early > 0.001 then return {'refused', taken, holds + i, math.ceil((before - exact) * count / per - 0.001), math.ceil(early)} end
  full[rate] = after
end
for i = 1, holds do add(key('holds:' .. id), keys[i], 1) end
for rate, after in pairs(full) do call('SET', rate, string.format('%.3f', after), 'PX', math.max(1, math.ceil(after - exact))) end
return {'ok', taken}
`);

/** ARGV: whether this sets right all that may have been lost, (key, change)s. */
export const MOVE = new Script(`${PRELUDE}
local refused = stranger()
if refused then return refused end
local mine = key('holds:' .. id)
for i = 4, #ARGV, 2 do
  if add(mine, ARGV[i], number(ARGV[i + 1])) <= 0 then call('HDEL', mine, ARGV[i]) end
end
if ARGV[3] == '1' then call('ZREM', key('unsure'), id) end
return {'ok'}
`);

export const MINE = new Script(`${PRELUDE}
local refused = stranger()
if refused then return refused end
local held = call('HGETALL', key('holds:' .. id))
for i = 2, #held, 2 do held[i] = number(held[i]) end
return {'ok', held}
`);
