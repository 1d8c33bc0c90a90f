import { MAX_RECORD_BYTES } from '../record.ts';
import { PRELUDE } from './prelude.ts';
import { Script } from './script.ts';

/** What is kept of a relay that is gone: as long as others remember it. */
const FORGET_AFTER_MS = 600_000;

/** The store's name for its data is a time and a peer id. */
const MAX_BORN_CHARS = 256;

/**
 * ARGV: record, the version from which on records are wanted, the store's name as it was, whether it may have lost something, whether this is the run's first, generation,
 * where to look for authorities, number of those that are asked for, these, other relays.
 */
export const BEAT = new Script(`${PRELUDE}
local record, since, born, lost, first, generation, cursor = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6] == '1', ARGV[7] == '1', ARGV[8], ARGV[9]
local authorities, others = {}, 11 + ARGV[10]
for i = 11, others - 1 do authorities[#authorities + 1] = ARGV[i] end
awake()
call('HSET', key('meta'), 'at', now)
for _, name in ipairs({'leases', 'unsure'}) do call('ZREMRANGEBYSCORE', key(name), '(' .. horizon, '+inf') end
call('ZREMRANGEBYSCORE', key('left'), '(' .. now, '+inf')
local stored = call('HGET', key('epochs'), id)
if newer(stored) and alive(id) then return fenced(stored) end
local name = call('HGET', key('meta'), 'born')
if not name or #name > ${MAX_BORN_CHARS} then
  name = whole(micros) .. '-' .. id
  call('HSET', key('meta'), 'born', name)
end
if name ~= born then since = 0 end
local missing = stored ~= epoch
if not missing and alive(id) and tonumber(session) < number(call('HGET', key('sessions'), id)) then return {'unknown'} end
if first or missing then
  call('UNLINK', key('holds:' .. id))
  call('HSET', key('generations'), id, generation)
end
local renewed = first or not (missing or lost or name ~= born)
if first then
  call('ZREM', key('unsure'), id)
elseif not renewed then
  call('ZADD', key('unsure'), horizon, id)
  for i = others, #ARGV do
    if call('HEXISTS', key('epochs'), ARGV[i]) == 0 then call('ZADD', key('unsure'), 'NX', horizon, ARGV[i]) end
  end
end
call('ZADD', leases, horizon, id)
call('HSET', key('epochs'), id, epoch)
call('HSET', key('sessions'), id, session)
call('ZREM', key('left'), id)
local version = math.max(0, math.floor(number(call('HGET', key('meta'), 'version')))) + 1
if since >= version then since = 0 end
call('HSET', key('meta'), 'version', whole(version))
call('HSET', key('records'), id, record)
call('ZADD', key('versions'), whole(version), id)
call('PUBLISH', key('news'), 'record ' .. id .. ' ' .. epoch .. ' ' .. whole(version) .. ' ' .. record)
local past = whole(now - ${FORGET_AFTER_MS})
for _, relay in ipairs(call('ZRANGEBYSCORE', leases, '-inf', past, 'LIMIT', 0, 16)) do forget(relay) end
call('ZREMRANGEBYSCORE', key('left'), '-inf', past)
local relays, changed = {}, {}
for _, relay in ipairs(live()) do
  relays[#relays + 1] = relay
  relays[#relays + 1] = number(call('HGET', key('epochs'), relay))
  local written = number(call('ZSCORE', key('versions'), relay))
  local said = relay ~= id and written > since and written <= version and call('HGET', key('records'), relay)
  if said and #said <= ${MAX_RECORD_BYTES} then
    changed[#changed + 1] = relay
    changed[#changed + 1] = said
  end
end
local sequences, further = newest(authorities, cursor)
return {'ok', renewed and 1 or 0, name, version, relays, changed, within(key('left'), '-inf', now), sequences, within(key('unsure'), '(' .. now, horizon), further, now}
`);

export const LEAVE = new Script(`${PRELUDE}
if call('HGET', key('epochs'), id) ~= epoch then return {'ok'} end
forget(id)
call('ZADD', key('left'), now, id)
call('PUBLISH', key('news'), 'left ' .. id .. ' ' .. epoch)
return {'ok'}
`);
