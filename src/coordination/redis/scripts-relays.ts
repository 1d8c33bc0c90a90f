import { LEASE_MS } from '../backend.ts';
import { PRELUDE } from './prelude.ts';
import { Script } from './script.ts';

/** What is kept of a relay that is gone: as long as others remember it. */
const FORGET_AFTER_MS = 600_000;

/** ARGV: record, the version from which on records are wanted, the store's name as it was, whether it may have lost something, whether this is the run's first, generation, other relays. */
export const BEAT = new Script(`${PRELUDE}
local record, since, born, lost, first, generation = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6] == '1', ARGV[7] == '1', ARGV[8]
awake()
call('HSET', key('meta'), 'at', now)
local stored = call('HGET', key('epochs'), id)
if newer(stored) and tonumber(call('ZSCORE', leases, id) or 0) > now then return fenced(stored) end
local name = call('HGET', key('meta'), 'born')
if not name then
  name = string.format('%.0f', micros) .. '-' .. id
  call('HSET', key('meta'), 'born', name)
end
if name ~= born then since = 0 end
local missing = stored ~= epoch
if not missing and tonumber(session) < tonumber(call('HGET', key('sessions'), id) or 0) then return {'unknown'} end
if first or missing then
  call('UNLINK', key('holds:' .. id))
  call('HSET', key('generations'), id, generation)
end
local renewed = first or not (missing or lost or name ~= born)
if first then
  call('ZREM', key('unsure'), id)
elseif not renewed then
  call('ZADD', key('unsure'), now + ${LEASE_MS}, id)
  for i = 9, #ARGV do
    if call('HEXISTS', key('epochs'), ARGV[i]) == 0 then call('ZADD', key('unsure'), 'NX', now + ${LEASE_MS}, ARGV[i]) end
  end
end
call('ZADD', leases, now + ${LEASE_MS}, id)
call('HSET', key('epochs'), id, epoch)
call('HSET', key('sessions'), id, session)
call('ZREM', key('left'), id)
local version = string.format('%.0f', call('HINCRBY', key('meta'), 'version', 1))
call('HSET', key('records'), id, record)
call('ZADD', key('versions'), version, id)
call('PUBLISH', key('news'), 'record ' .. id .. ' ' .. epoch .. ' ' .. version .. ' ' .. record)
local past = string.format('%.0f', now - ${FORGET_AFTER_MS})
for _, relay in ipairs(call('ZRANGEBYSCORE', leases, '-inf', past, 'LIMIT', 0, 16)) do forget(relay) end
call('ZREMRANGEBYSCORE', key('left'), '-inf', past)
local relays, isLive = {}, {}
for _, relay in ipairs(live()) do
  isLive[relay] = true
  relays[#relays + 1] = relay
  relays[#relays + 1] = call('HGET', key('epochs'), relay)
end
local changed = {}
for _, relay in ipairs(call('ZRANGEBYSCORE', key('versions'), '(' .. string.format('%.0f', since), '+inf')) do
  if isLive[relay] and relay ~= id then
    changed[#changed + 1] = relay
    changed[#changed + 1] = call('HGET', key('records'), relay)
  end
end
return {'ok', renewed and 1 or 0, name, tonumber(version), relays, changed, call('ZRANGE', key('left'), 0, -1), newest(), call('ZRANGEBYSCORE', key('unsure'), '(' .. now, '+inf')}
`);

export const LEAVE = new Script(`${PRELUDE}
if call('HGET', key('epochs'), id) ~= epoch then return {'ok'} end
forget(id)
call('ZADD', key('left'), now, id)
call('PUBLISH', key('news'), 'left ' .. id .. ' ' .. epoch)
return {'ok'}
`);
