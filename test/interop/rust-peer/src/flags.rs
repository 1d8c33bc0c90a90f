//! What was asked for on the command line?

use std::{str::FromStr, time::Duration};

use libp2p::{Multiaddr, multiaddr::Protocol};

use crate::security::Security;

pub struct Flags {
    pub listen: Vec<Multiaddr>,
    pub seed: Option<u64>,
    pub security: Security,
    pub any_network: bool,
    /// Set in relay mode only.
    pub relay: Option<RelayLimits>,
}

/// Refuses what is not on this machine, so that no mistake in a test leaves it.
pub fn check_loopback(address: &Multiaddr) -> Result<(), String> {
    let is_loopback = match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    };
    if is_loopback {
        Ok(())
    } else {
        Err(format!("{address}: not loopback (--any-network allows it)"))
    }
}

pub struct RelayLimits {
    pub ttl: Duration,
    pub duration: Duration,
    pub data: u64,
}

const USAGE: &str = "usage: rust-peer [--listen ADDR]... [--seed N] [--security noise|tls|both] \
    [--mode client|relay] [--relay-ttl SECONDS] [--relay-limit-duration SECONDS] \
    [--relay-limit-data BYTES] [--any-network]";

pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Flags, String> {
    let mut arguments = arguments;
    let mut listen = Vec::new();
    let mut seed = None;
    let mut security = Security::Both;
    let mut is_relay = false;
    let mut any_network = false;
    // The defaults of rust-libp2p's own relay.
    let mut limits = RelayLimits {
        ttl: Duration::from_secs(3600),
        duration: Duration::from_secs(120),
        data: 1 << 17,
    };

    while let Some(flag) = arguments.next() {
        if flag == "--any-network" {
            any_network = true;
            continue;
        }
        let value = arguments
            .next()
            .ok_or_else(|| format!("{flag} without a value; {USAGE}"))?;
        match flag.as_str() {
            "--listen" => listen.push(convert(&flag, &value)?),
            "--seed" => seed = Some(convert(&flag, &value)?),
            "--security" => security = convert(&flag, &value)?,
            "--mode" => {
                is_relay = match value.as_str() {
                    "relay" => true,
                    "client" => false,
                    _ => return Err(format!("--mode: neither client nor relay: {value}")),
                }
            }
            "--relay-ttl" => limits.ttl = seconds(&flag, &value)?,
            "--relay-limit-duration" => limits.duration = seconds(&flag, &value)?,
            "--relay-limit-data" => limits.data = convert(&flag, &value)?,
            _ => return Err(format!("unknown flag {flag}; {USAGE}")),
        }
    }

    if !any_network {
        listen.iter().try_for_each(check_loopback)?;
    }
    Ok(Flags {
        listen,
        seed,
        security,
        any_network,
        relay: is_relay.then_some(limits),
    })
}

/// 32 bits, because the relay protocol has no more for a duration.
fn seconds(flag: &str, value: &str) -> Result<Duration, String> {
    Ok(Duration::from_secs(convert::<u32>(flag, value)?.into()))
}

fn convert<T: FromStr>(flag: &str, value: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    value
        .parse()
        .map_err(|error| format!("{flag} {value}: {error}"))
}
