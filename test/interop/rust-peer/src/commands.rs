//! What does a line of input ask for, and what is the line that answers it?

use std::{
    str::FromStr,
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, Stream, StreamProtocol};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::{
    driver::{Connection, Reply, Request},
    streams,
};

const DEADLINE_MS: u64 = 20_000;

type Requests = mpsc::UnboundedSender<Request>;

/// Runs the command in `line`. Whatever happens, there is exactly one answer.
pub async fn answer(line: &[u8], requests: Requests) -> Value {
    let command: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(command) => command,
        Err(error) => {
            return json!({"id": null, "ok": false, "error": format!("malformed command: {error}")});
        }
    };
    let id = command.get("id").cloned().unwrap_or_default();

    let result = async {
        let deadline = optional_number(&command, "timeoutMs")?.unwrap_or(DEADLINE_MS);
        tokio::time::timeout(Duration::from_millis(deadline), run(&command, &requests))
            .await
            .unwrap_or_else(|_| Err(format!("no result within {deadline} ms")))
    };
    let mut answer = Map::from_iter([("id".to_string(), id)]);
    match result.await {
        Ok(fields) => {
            answer.insert("ok".into(), true.into());
            answer.extend(fields);
        }
        Err(error) => {
            answer.insert("ok".into(), false.into());
            answer.insert("error".into(), error.into());
        }
    }
    answer.into()
}

type Fields = Map<String, Value>;

async fn run(command: &Map<String, Value>, requests: &Requests) -> Result<Fields, String> {
    let fields = match text(command, "cmd")? {
        "reserve" => {
            let relay = parsed(command, "relay")?;
            let reservation = ask(requests, |reply| Request::Reserve(relay, reply)).await??;
            json!({
                "renewal": reservation.renewal,
                "limitDurationSeconds": reservation.limit_duration.map(|limit| limit.as_secs()),
                "limitBytes": reservation.limit_bytes,
                "addrs": strings(&reservation.addresses),
            })
        }
        "connect" => {
            let address = parsed(command, "addr")?;
            let started = Instant::now();
            let connection = ask(requests, |reply| Request::Connect(address, reply)).await??;
            json!({
                "path": if connection.relayed { "relay" } else { "direct" },
                "ms": milliseconds(started.elapsed()),
            })
        }
        "ping" => {
            let count = optional_number(command, "count")?.unwrap_or(1);
            let stream = open(requests, command, streams::PING).await?;
            let times = streams::ping(stream, count).await?;
            json!({"rttMs": times.into_iter().map(milliseconds).collect::<Vec<_>>()})
        }
        "echo" => {
            let bytes = number(command, "bytes")?;
            let stream = open(requests, command, streams::ECHO).await?;
            let echoed = streams::echo(stream, bytes).await?;
            json!({
                "bytes": echoed.bytes,
                "match": echoed.matches,
                "ms": milliseconds(echoed.took),
            })
        }
        "send" => {
            let bytes = number(command, "bytes")?;
            let chunk = match optional_number(command, "chunk")?.unwrap_or(65_536) {
                chunk @ 1..=16_777_216 => chunk as usize,
                _ => return Err("chunk: not between 1 and 16777216".into()),
            };
            let stream = open(requests, command, streams::SINK).await?;
            let (acknowledged, took) = streams::send(stream, bytes, chunk).await?;
            json!({
                "acknowledged": acknowledged,
                "ms": milliseconds(took),
                "mibPerSecond": round(bytes as f64 / 1_048_576.0 / took.as_secs_f64()),
            })
        }
        "addrs" => {
            let addresses = ask(requests, Request::Addresses).await?;
            json!({"addrs": strings(&addresses)})
        }
        "connections" => {
            let connections = ask(requests, Request::Connections).await?;
            json!({"connections": connections.iter().map(described).collect::<Vec<_>>()})
        }
        "disconnect" => {
            let peer = parsed(command, "peer")?;
            ask(requests, |reply| Request::Disconnect(peer, reply)).await??;
            json!({})
        }
        unknown => return Err(format!("unknown command {unknown}")),
    };
    match fields {
        Value::Object(fields) => Ok(fields),
        _ => unreachable!("every answer above is an object"),
    }
}

async fn ask<T>(
    requests: &Requests,
    request: impl FnOnce(Reply<T>) -> Request,
) -> Result<T, String> {
    let (reply, answer) = oneshot::channel();
    // The driver outlives every command: a reply is dropped only together with
    // the connection that was to open a stream.
    let _ = requests.send(request(reply));
    answer.await.map_err(|_| "the connection closed".into())
}

/// Opens a stream to the peer the command names.
async fn open(
    requests: &Requests,
    command: &Map<String, Value>,
    protocol: StreamProtocol,
) -> Result<Stream, String> {
    let peer = parsed(command, "peer")?;
    ask(requests, |reply| Request::Open(peer, protocol, reply)).await?
}

fn described(connection: &Connection) -> Value {
    json!({
        "peer": connection.peer.to_string(),
        "remote": connection.remote.to_string(),
        "direction": if connection.inbound { "inbound" } else { "outbound" },
        "relayed": connection.relayed,
    })
}

fn text<'a>(command: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    command
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("{name}: missing, or no string"))
}

fn parsed<T: FromStr>(command: &Map<String, Value>, name: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text(command, name)?
        .parse()
        .map_err(|error| format!("{name}: {error}"))
}

fn number(command: &Map<String, Value>, name: &str) -> Result<u64, String> {
    optional_number(command, name)?.ok_or_else(|| format!("{name}: missing"))
}

fn optional_number(command: &Map<String, Value>, name: &str) -> Result<Option<u64>, String> {
    match command.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_u64()
            .map(Some)
            .ok_or_else(|| format!("{name}: not a whole number")),
    }
}

fn strings(addresses: &[Multiaddr]) -> Vec<String> {
    addresses.iter().map(Multiaddr::to_string).collect()
}

fn milliseconds(duration: Duration) -> f64 {
    round(duration.as_secs_f64() * 1000.0)
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
