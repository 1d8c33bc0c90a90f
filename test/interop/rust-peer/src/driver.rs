//! Which answer belongs to which event of the network?
//!
//! One task owns the swarm. Commands send it requests; it keeps them until the
//! event that answers them arrives.

use std::{
    collections::{HashMap, HashSet},
    error::Error,
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, Swarm,
    core::{ConnectedPoint, transport::ListenerId},
    multiaddr::Protocol,
    relay::client::Event as RelayEvent,
    swarm::{ConnectionId, SwarmEvent, dial_opts::DialOpts},
};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::{
    emit,
    flags::{Flags, check_loopback},
    log,
    swarm::{Behaviour, BehaviourEvent},
};

pub type Reply<T> = oneshot::Sender<T>;

pub enum Request {
    Reserve(Multiaddr, Reply<Result<Reservation, String>>),
    Connect(Multiaddr, Reply<Result<Connection, String>>),
    Addresses(Reply<Vec<Multiaddr>>),
    Connections(Reply<Vec<Connection>>),
    Open(PeerId, StreamProtocol, Reply<Result<Stream, String>>),
    Disconnect(PeerId, Reply<Result<(), String>>),
}

pub struct Reservation {
    pub renewal: bool,
    pub limit_duration: Option<Duration>,
    pub limit_bytes: Option<u64>,
    pub addresses: Vec<Multiaddr>,
}

#[derive(Clone)]
pub struct Connection {
    pub peer: PeerId,
    pub remote: Multiaddr,
    pub inbound: bool,
    pub relayed: bool,
}

/// A relay announces its addresses one event each, without saying which is the
/// last: a reservation is answered after this long without another.
const SETTLE: Duration = Duration::from_millis(50);

/// The relay client dials its relay unless a dial of it is under way, and then
/// gives up without an event that says why.
const NO_REASON: &str = "closed without a reason; is the relay being dialed already?";

struct PendingReservation {
    listener: ListenerId,
    relay: PeerId,
    accepted: Option<(bool, Option<Duration>, Option<u64>)>,
    addresses: Vec<Multiaddr>,
    last_address: Option<Instant>,
    reply: Reply<Result<Reservation, String>>,
}

impl PendingReservation {
    fn is_settled(&self) -> bool {
        self.accepted.is_some() && self.last_address.is_some_and(|at| at.elapsed() >= SETTLE)
    }
}

struct PendingDial {
    relay: Option<PeerId>,
    reply: Reply<Result<Connection, String>>,
}

struct Driver {
    swarm: Swarm<Behaviour>,
    is_relay: bool,
    any_network: bool,
    /// Listeners that have no address yet; `ready` is printed when none is left.
    starting: HashSet<ListenerId>,
    /// The oldest first.
    connections: Vec<(ConnectionId, Connection)>,
    reservations: Vec<PendingReservation>,
    dials: HashMap<ConnectionId, PendingDial>,
    disconnects: Vec<(PeerId, Reply<Result<(), String>>)>,
    /// Why the last dial of a peer failed. A relayed dial or a reservation that
    /// fails because its relay cannot be reached does not say so by itself.
    dial_errors: HashMap<PeerId, String>,
}

/// Starts listening. The future drives the network and ends only if that fails.
pub fn start(
    mut swarm: Swarm<Behaviour>,
    flags: &Flags,
) -> Result<
    (
        mpsc::UnboundedSender<Request>,
        impl Future<Output = Result<(), String>>,
    ),
    String,
> {
    let mut starting = HashSet::new();
    for address in &flags.listen {
        let listener = swarm
            .listen_on(address.clone())
            .map_err(|error| format!("{address}: {}", chain(&error)))?;
        starting.insert(listener);
    }

    let driver = Driver {
        swarm,
        is_relay: flags.relay.is_some(),
        any_network: flags.any_network,
        starting,
        connections: Vec::new(),
        reservations: Vec::new(),
        dials: HashMap::new(),
        disconnects: Vec::new(),
        dial_errors: HashMap::new(),
    };
    let (sender, receiver) = mpsc::unbounded_channel();
    Ok((sender, driver.run(receiver)))
}

impl Driver {
    async fn run(mut self, mut requests: mpsc::UnboundedReceiver<Request>) -> Result<(), String> {
        if self.starting.is_empty() {
            self.print_ready();
        }
        let mut tick = tokio::time::interval(SETTLE / 2);
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event)?,
                Some(request) = requests.recv() => self.on_request(request),
                _ = tick.tick(), if !self.reservations.is_empty() => self.answer_reservations(),
            }
        }
    }

    fn print_ready(&self) {
        let addresses: Vec<_> = self.addresses().iter().map(Multiaddr::to_string).collect();
        emit(&json!({
            "event": "ready",
            "peerId": self.swarm.local_peer_id().to_string(),
            "addrs": addresses,
        }));
    }

    /// Where this peer can be reached, each address complete with its peer id.
    fn addresses(&self) -> Vec<Multiaddr> {
        let own = *self.swarm.local_peer_id();
        let mut addresses = Vec::new();
        for address in self
            .swarm
            .listeners()
            .chain(self.swarm.external_addresses())
        {
            let address = match address.iter().last() {
                Some(Protocol::P2p(_)) => address.clone(),
                _ => address.clone().with(Protocol::P2p(own)),
            };
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    fn on_request(&mut self, request: Request) {
        // A command that ran out of time dropped its receiver: no send fails here
        // for any other reason, so the results are not looked at.
        match request {
            Request::Reserve(address, reply) => self.reserve(address, reply),
            Request::Connect(address, reply) => self.connect(address, reply),
            Request::Addresses(reply) => {
                let _ = reply.send(self.addresses());
            }
            Request::Connections(reply) => {
                let _ = reply.send(self.connections.iter().map(|(_, it)| it.clone()).collect());
            }
            Request::Open(peer, protocol, reply) => {
                // The newest connection: the one the last `connect` made.
                let mut connections = self.connections.iter().rev();
                match connections.find(|(_, connection)| connection.peer == peer) {
                    Some((id, _)) => {
                        let streams = &mut self.swarm.behaviour_mut().streams;
                        streams.open(peer, *id, protocol, reply);
                    }
                    None => {
                        let _ = reply.send(Err(format!("not connected to {peer}")));
                    }
                }
            }
            Request::Disconnect(peer, reply) => match self.swarm.disconnect_peer_id(peer) {
                Ok(()) => self.disconnects.push((peer, reply)),
                Err(()) => {
                    let _ = reply.send(Err(format!("not connected to {peer}")));
                }
            },
        }
    }

    fn check(&self, address: &Multiaddr) -> Result<(), String> {
        if self.any_network {
            Ok(())
        } else {
            check_loopback(address)
        }
    }

    fn reserve(&mut self, address: Multiaddr, reply: Reply<Result<Reservation, String>>) {
        if let Err(error) = self.check(&address) {
            let _ = reply.send(Err(error));
            return;
        }
        let Some(Protocol::P2p(relay)) = address.iter().last() else {
            let _ = reply.send(Err(format!("no peer id at the end of {address}")));
            return;
        };
        self.dial_errors.remove(&relay);
        match self.swarm.listen_on(address.with(Protocol::P2pCircuit)) {
            Ok(listener) => self.reservations.push(PendingReservation {
                listener,
                relay,
                accepted: None,
                addresses: Vec::new(),
                last_address: None,
                reply,
            }),
            Err(error) => {
                let _ = reply.send(Err(chain(&error)));
            }
        }
    }

    fn connect(&mut self, address: Multiaddr, reply: Reply<Result<Connection, String>>) {
        if let Err(error) = self.check(&address) {
            let _ = reply.send(Err(error));
            return;
        }
        let relay = relay_of(&address);
        if let Some(relay) = relay {
            self.dial_errors.remove(&relay);
        }
        // Dials even when connected: a test may want the other path as well.
        let options = DialOpts::from(address);
        let id = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(id, PendingDial { relay, reply });
            }
            Err(error) => {
                let _ = reply.send(Err(chain(&error)));
            }
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) -> Result<(), String> {
        match event {
            SwarmEvent::NewListenAddr {
                listener_id,
                address,
            } => self.on_listen_address(listener_id, address),
            SwarmEvent::ListenerClosed {
                listener_id,
                reason,
                ..
            } => return self.on_listener_closed(listener_id, reason),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => self.on_connected(connection_id, peer_id, &endpoint),
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                num_established,
                cause,
                ..
            } => {
                self.connections.retain(|(id, _)| *id != connection_id);
                let cause = cause.map_or("no error".into(), |cause| chain(&cause));
                log(&format!("connection to {peer_id} closed: {cause}"));
                if num_established == 0 {
                    self.on_disconnected(peer_id);
                }
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id,
                connection_id,
                error,
            } => self.on_dial_failed(connection_id, peer_id, chain(&error)),
            SwarmEvent::IncomingConnectionError { error, .. } => {
                log(&format!("incoming connection failed: {}", chain(&error)));
            }
            SwarmEvent::Behaviour(BehaviourEvent::RelayClient(event)) => {
                self.on_relay_client_event(event);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Relay(event)) => {
                log(&format!("relay: {event:?}"));
            }
            _ => {}
        }
        Ok(())
    }

    fn on_listen_address(&mut self, listener: ListenerId, address: Multiaddr) {
        // Rust's relay offers its service only when it knows an external address.
        if self.is_relay && relay_of(&address).is_none() {
            self.swarm.add_external_address(address.clone());
        }
        let pending = self.reservations.iter_mut();
        if let Some(pending) = pending.into_iter().find(|it| it.listener == listener) {
            pending.addresses.push(address);
            pending.last_address = Some(Instant::now());
        }
        if self.starting.remove(&listener) && self.starting.is_empty() {
            self.print_ready();
        }
    }

    fn on_listener_closed(
        &mut self,
        listener: ListenerId,
        reason: std::io::Result<()>,
    ) -> Result<(), String> {
        let reason = reason.err().map(|error| chain(&error));
        if self.starting.contains(&listener) {
            return Err(format!("cannot listen: {}", reason.unwrap_or_default()));
        }
        let mut pending = self.reservations.iter();
        if let Some(index) = pending.position(|it| it.listener == listener) {
            let pending = self.reservations.swap_remove(index);
            let reason = reason
                .or_else(|| self.dial_errors.remove(&pending.relay))
                .unwrap_or_else(|| NO_REASON.into());
            let _ = pending.reply.send(Err(reason));
        } else {
            let reason = reason.unwrap_or_else(|| "no error".into());
            log(&format!("listener closed: {reason}"));
        }
        Ok(())
    }

    fn on_connected(&mut self, id: ConnectionId, peer: PeerId, endpoint: &ConnectedPoint) {
        let connection = Connection {
            peer,
            remote: endpoint.get_remote_address().clone(),
            inbound: endpoint.is_listener(),
            relayed: endpoint.is_relayed(),
        };
        if let Some(dial) = self.dials.remove(&id) {
            let _ = dial.reply.send(Ok(connection.clone()));
        }
        self.connections.push((id, connection));
    }

    fn on_disconnected(&mut self, peer: PeerId) {
        for (waiting, reply) in std::mem::take(&mut self.disconnects) {
            if waiting == peer {
                let _ = reply.send(Ok(()));
            } else if !reply.is_closed() {
                self.disconnects.push((waiting, reply));
            }
        }
    }

    fn on_dial_failed(&mut self, id: ConnectionId, peer: Option<PeerId>, error: String) {
        if let Some(dial) = self.dials.remove(&id) {
            let through_relay = dial.relay.and_then(|relay| self.dial_errors.remove(&relay));
            let error = match through_relay {
                Some(cause) => format!("{error}; the relay: {cause}"),
                None => error,
            };
            let _ = dial.reply.send(Err(error));
        } else if let Some(peer) = peer {
            self.dial_errors.insert(peer, error);
        }
    }

    fn on_relay_client_event(&mut self, event: RelayEvent) {
        match event {
            RelayEvent::ReservationReqAccepted {
                relay_peer_id,
                renewal,
                limit,
            } => {
                log(&format!(
                    "reservation accepted by {relay_peer_id}, renewal {renewal}, limit {limit:?}"
                ));
                let duration = limit.and_then(|limit| limit.duration());
                let bytes = limit.and_then(|limit| limit.data_in_bytes());
                let mut pending = self.reservations.iter_mut();
                if let Some(pending) =
                    pending.find(|it| it.relay == relay_peer_id && it.accepted.is_none())
                {
                    pending.accepted = Some((renewal, duration, bytes));
                }
            }
            RelayEvent::OutboundCircuitEstablished {
                relay_peer_id,
                limit,
            } => log(&format!("circuit through {relay_peer_id}, limit {limit:?}")),
            RelayEvent::InboundCircuitEstablished { src_peer_id, limit } => {
                log(&format!("circuit from {src_peer_id}, limit {limit:?}"));
            }
        }
    }

    fn answer_reservations(&mut self) {
        for pending in std::mem::take(&mut self.reservations) {
            if pending.reply.is_closed() {
                // The command ran out of time: a late acceptance must not stay.
                self.swarm.remove_listener(pending.listener);
            } else if let (true, Some((renewal, limit_duration, limit_bytes))) =
                (pending.is_settled(), pending.accepted)
            {
                let _ = pending.reply.send(Ok(Reservation {
                    renewal,
                    limit_duration,
                    limit_bytes,
                    addresses: pending.addresses,
                }));
            } else {
                self.reservations.push(pending);
            }
        }
    }
}

/// The relay an address goes through, if any.
fn relay_of(address: &Multiaddr) -> Option<PeerId> {
    let mut before = None;
    for protocol in address {
        match protocol {
            Protocol::P2p(peer) => before = Some(peer),
            Protocol::P2pCircuit => return before,
            _ => {}
        }
    }
    None
}

/// An error with its causes. The outer messages of libp2p say little, and some
/// already contain the inner one.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        source = error.source();
    }
    text
}
