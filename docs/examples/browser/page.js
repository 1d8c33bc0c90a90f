// A page that others reach through a relay, and that reaches others through it. README.md beside it says how to run it.
import { noise } from '@chainsafe/libp2p-noise';
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { identify, identifyPush } from '@libp2p/identify';
import { ping } from '@libp2p/ping';
import { webSockets } from '@libp2p/websockets';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';

const ECHO = '/example/echo/1.0.0';

const say = (text) => document.querySelector('#log').append(Object.assign(document.createElement('li'), { textContent: text }));

/** A node that holds a reservation at `relay` for as long as the page is open. A reservation that is lost is made again. */
async function start(relay) {
  const node = await createLibp2p({
    addresses: { listen: [`${relay}/p2p-circuit`] },
    transports: [webSockets(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), identifyPush: identifyPush(), ping: ping({ runOnLimitedConnection: true }) },
  });
  node.addEventListener('self:peer:update', () => show(node));
  node.addEventListener('connection:open', ({ detail }) => say(`connected: ${detail.remoteAddr}`));
  // A public relay limits circuits in time and bytes; what runs over them has to say that it may.
  await node.handle(ECHO, echo, { runOnLimitedConnection: true });
  show(node);
  return node;
}

function show(node) {
  document.querySelector('#peer').value = node.peerId;
  document.querySelector('#address').value = node.getMultiaddrs()[0] ?? 'no address yet';
}

/** Sends back whatever comes, no faster than it is taken. */
async function echo(stream) {
  for await (const bytes of stream) {
    if (!stream.send(bytes)) await stream.onDrain();
  }
  await stream.close();
}

/** Sends `count` bytes to a peer that echoes them. Resolves with how many came back as they were. */
async function echoed(node, peer, count) {
  const stream = await node.dialProtocol(multiaddr(peer), ECHO, { runOnLimitedConnection: true });
  const sent = crypto.getRandomValues(new Uint8Array(65_536));
  let back = 0;
  const all = (async () => {
    for await (const bytes of stream) {
      for (const byte of bytes.subarray()) {
        if (byte !== sent[back++ % sent.length]) throw new Error('other bytes came back than were sent');
      }
    }
  })();
  for (let at = 0; at < count; at += sent.length) {
    if (!stream.send(sent.subarray(0, Math.min(sent.length, count - at)))) await stream.onDrain();
  }
  await stream.close();
  await all;
  return back;
}

let started;

function listen(event) {
  event.preventDefault();
  started = start(event.target.elements.relay.value.trim());
  started.catch((error) => say(`no reservation: ${error.message}`));
}

async function pinged(peer) {
  try {
    const node = await (started ?? Promise.reject(new Error('hold a reservation first')));
    say(`ping: ${await node.services.ping.ping(multiaddr(peer))} ms to ${peer}`);
  } catch (error) {
    say(`no answer: ${error.message}`);
  }
}

function call(event) {
  event.preventDefault();
  void pinged(event.target.elements.peer.value.trim());
}

document.querySelector('#listen').addEventListener('submit', listen);
document.querySelector('#call').addEventListener('submit', call);

/** For a program that drives the page. */
globalThis.example = { echo: async (peer, count) => await echoed(await started, peer, count) };
