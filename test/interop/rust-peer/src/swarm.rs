//! What is this peer made of: identity, transports and protocols?

use std::time::Duration;

use libp2p::{
    Swarm, SwarmBuilder, identify,
    identity::Keypair,
    ping, relay,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
    tcp, yamux,
};
use tokio::sync::mpsc;

use crate::{
    flags::{Flags, RelayLimits},
    security::Upgrade,
    stream_behaviour::{self, Inbound},
    streams,
};

/// The tests decide when a connection ends, so the peer keeps idle ones.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

/// The ping behaviour is here to answer pings. It cannot be told never to send
/// any: it sends one when a connection opens, and the next after this interval.
/// Regular pings would eat the byte limit of a relayed connection under test.
const PING_INTERVAL: Duration = Duration::from_secs(24 * 3600);

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub relay: Toggle<relay::Behaviour>,
    pub relay_client: relay::client::Behaviour,
    pub identify: identify::Behaviour,
    pub ping: ping::Behaviour,
    pub streams: stream_behaviour::Behaviour,
}

/// Streams other peers open go to `inbound`.
pub fn build(
    flags: &Flags,
    inbound: mpsc::UnboundedSender<Inbound>,
) -> Result<Swarm<Behaviour>, String> {
    let keypair = match flags.seed {
        Some(seed) => keypair(seed),
        None => Keypair::generate_ed25519(),
    };
    let security = flags.security;

    let swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            |keypair: &Keypair| Upgrade::new(security, keypair),
            yamux::Config::default,
        )
        .map_err(|error| format!("tcp: {error}"))?
        // Relayed connections are secured end to end, by the same choice.
        .with_relay_client(
            |keypair: &Keypair| Upgrade::new(security, keypair),
            yamux::Config::default,
        )
        .map_err(|error| format!("relay client: {error}"))?
        .with_behaviour(|keypair, relay_client| Behaviour {
            relay: flags
                .relay
                .as_ref()
                .map(|limits| {
                    relay::Behaviour::new(keypair.public().to_peer_id(), relay_config(limits))
                })
                .into(),
            relay_client,
            identify: identify::Behaviour::new(
                identify::Config::new("relayd-test/1.0.0".into(), keypair.public())
                    .with_agent_version(concat!("rust-peer/", env!("CARGO_PKG_VERSION")).into()),
            ),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL)),
            streams: stream_behaviour::Behaviour::new(streams::SERVED, inbound),
        })
        .map_err(|error| format!("behaviour: {error}"))?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE_TIMEOUT))
        .build();
    Ok(swarm)
}

/// The limits the flags give, and none of the others: a test opens more
/// circuits from one address than the rate limiters allow.
fn relay_config(limits: &RelayLimits) -> relay::Config {
    relay::Config {
        max_reservations: 1024,
        max_reservations_per_peer: 16,
        reservation_duration: limits.ttl,
        reservation_rate_limiters: Vec::new(),
        max_circuits: 1024,
        max_circuits_per_peer: 256,
        max_circuit_duration: limits.duration,
        max_circuit_bytes: limits.data,
        circuit_src_rate_limiters: Vec::new(),
    }
}

/// The same number, the same peer id. The tag keeps peers of other programs
/// that were given the same number apart from this one.
fn keypair(seed: u64) -> Keypair {
    let mut secret = *b"p2p-relayd rust-peer    12345678";
    secret[24..].copy_from_slice(&seed.to_be_bytes());
    Keypair::ed25519_from_bytes(secret).expect("any 32 bytes are a secret key")
}
