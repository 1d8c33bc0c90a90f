import type { Case } from '../case.ts';
import * as connect from './connect.ts';
import * as data from './data.ts';
import * as reserve from './reserve.ts';

/** Every behaviour of shared/conformance.md that a relay shows on the wire; 36 (DCUtR) has no server to ask. */
export const CASES: readonly Case[] = [
  { number: 1, title: 'RESERVE is answered with OK and an expiry in UTC seconds', run: reserve.reserveIsAnswered },
  { number: 2, title: 'addrs: with the peer id, no circuits, none foreign or doubled, as configured', run: reserve.addressesCanBeUsed },
  { number: 3, title: 'voucher: signed, domain, type, fields in order; a client rejects a bad one', run: reserve.vouchersAreSigned },
  { number: 4, title: 'limit.duration in seconds, limit.data in bytes', run: reserve.limitsAreInSecondsAndBytes },
  { number: 5, title: 'no limit, or 0 in a field, means unlimited', run: reserve.noLimitMeansUnlimited },
  { number: 6, title: 'full 200; a share or a rate exceeded 200 or 201; access list 202', run: reserve.refusalsHaveTheirStatus },
  { number: 7, title: 'a refresh works when full and moves the expiry', run: reserve.refreshMovesTheExpiry },
  { number: 8, title: 'a disconnect frees the slot at once', run: reserve.disconnectFreesTheSlot },
  { number: 9, title: 'RESERVE and CONNECT over a relayed connection are 202', run: reserve.relayedConnectionsGetNoService },
  { number: 10, title: 'the stream is closed after every reply', run: reserve.streamClosesAfterTheAnswer },
  { number: 11, title: 'an expired reservation is 204 for callers', run: reserve.expiredReservationIsGone },
  { number: 12, title: "a reserved peer's connection is protected from trimming", run: reserve.reservedPeersAreNotTrimmed },
  { number: 13, title: 'a target without reservation, or gone, is 204', run: connect.noReservation },
  { number: 14, title: 'a missing or bad peer is 400', run: connect.badPeer },
  { number: 15, title: 'STATUS as a request is 401; a client takes 400 and 401', run: connect.statusAsRequest },
  { number: 16, title: 'garbage is 400 or a reset, and nothing leaks', run: connect.garbage },
  { number: 17, title: 'a frame over 4096 bytes is refused at its length', run: connect.longFrames },
  { number: 18, title: 'CONNECT to the relay is 204, to oneself refused', run: connect.selfConnect },
  { number: 19, title: 'a target without STOP is 203', run: connect.noStopProtocol },
  { number: 20, title: 'STOP answered with another status than OK is 203', run: connect.stopRefused },
  { number: 21, title: 'STOP answered with a wrong message is 203, even with OK', run: connect.stopAnsweredWrongly },
  { number: 22, title: 'STOP not answered is 203 by the deadline', run: connect.stopSilence },
  { number: 23, title: 'circuits per source, per target, in all: 201', run: connect.circuitCaps },
  { number: 24, title: 'addresses in peer.addrs are never dialled', run: connect.addressesAreNotDialled },
  { number: 25, title: 'a relayed connection to the target is never used', run: connect.relayedConnectionIsNotUsed },
  { number: 26, title: 'bytes right behind CONNECT reach the target', run: connect.earlyBytesArrive },
  { number: 27, title: 'STOP side: bad peer 400, not CONNECT 401, gater 202', run: connect.stopSideRefuses },
  { number: 28, title: 'the byte limit counts each direction by itself, to the byte', run: data.bytesAreCountedEachWay },
  { number: 29, title: 'over a limit both streams are reset', run: data.overTheLimitIsReset },
  { number: 30, title: 'the duration limit fires, also after stop and start', run: data.durationIsEnforced },
  { number: 31, title: 'half-close is passed on and the reply still flows', run: data.halfCloseIsPassedOn },
  { number: 32, title: 'a reset on one side resets the other', run: data.resetIsPassedOn },
  { number: 33, title: 'a reader that pauses stops the sender, and nothing is lost', run: data.pausedReaderStopsTheSender },
  { number: 34, title: 'idle HOP streams are ended', run: data.idleStreamsAreEnded },
  { number: 35, title: 'an expiry does not cut a circuit inside its limits', run: data.expiryDoesNotCutCircuits },
];
