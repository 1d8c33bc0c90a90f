import { MAX_RELAYS } from '../relay-memory.ts';
import { PRELUDE } from './prelude.ts';
import { Script } from './script.ts';

/** Relays of which a reservation's key holds something, before it is looked through for what is over. */
const CROWDED = 8;

/** ARGV: generation, (peer, milliseconds or -1)s. */
export const PUBLISH = new Script(`${PRELUDE}
local refused = stranger()
if refused then return refused end
local function prune(held)
  local entries = call('HGETALL', held)
  for i = 1, #entries, 2 do
    local ends = number(string.match(entries[i + 1], '^%S+ %S+ (%S+)'))
    if ends <= now then call('HDEL', held, entries[i]) end
  end
end
for i = 4, #ARGV, 2 do
  local held, ttl = key('peer:' .. ARGV[i]), tonumber(ARGV[i + 1])
  if ttl < 0 then
    call('HDEL', held, id)
  else
    local got = string.format('%.0f', micros)
    local before, ends, since = string.match(call('HGET', held, id) or '', '^(%S+) %S+ (%S+) (%S+)$')
    if before == epoch and number(ends) > now then got = since end
    call('HSET', held, id, epoch .. ' ' .. ARGV[3] .. ' ' .. string.format('%.0f', now + ttl) .. ' ' .. got)
    if call('PTTL', held) < ttl then call('PEXPIRE', held, ttl) end
    if call('HLEN', held) > ${CROWDED} then prune(held) end
  end
end
return {'ok'}
`);

/** ARGV: generation; what this relay published in earlier ones is over. */
export const SETTLE = new Script(`${PRELUDE}
local refused = stranger()
if refused then return refused end
call('HSET', key('generations'), id, ARGV[3])
return {'ok'}
`);

/** ARGV: the peer. */
export const HOLDERS = new Script(`${PRELUDE}
awake()
local entries = call('HGETALL', key('peer:' .. ARGV[3]))
local found = {}
for i = 1, #entries, 2 do
  local relay = entries[i]
  local of, generation, ends, got = string.match(entries[i + 1], '^(%S+) (%S+) (%S+) (%S+)$')
  local current = number(call('HGET', key('generations'), relay))
  if number(ends) > now and number(generation) >= current and call('HGET', key('epochs'), relay) == of and alive(relay) then
    found[#found + 1] = {relay, number(got)}
  end
end
table.sort(found, function(a, b) return a[2] > b[2] end)
local relays = {'ok'}
for i = 1, math.min(#found, ${MAX_RELAYS}) do relays[i + 1] = found[i][1] end
return relays
`);
