//! What goes over a stream, from either end of it?

use std::{
    io, process,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use tokio::sync::mpsc;

use crate::{log, stream_behaviour::Inbound};

pub const ECHO: StreamProtocol = StreamProtocol::new("/relayd-test/echo/1.0.0");
pub const SINK: StreamProtocol = StreamProtocol::new("/relayd-test/sink/1.0.0");
pub const PING: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");

/// What `serve` answers. Pings are answered by libp2p's own behaviour.
pub const SERVED: &[StreamProtocol] = &[ECHO, SINK];

const BUFFER: usize = 64 * 1024;

/// Serves streams until the swarm that sends them is gone.
pub async fn serve(mut inbound: mpsc::UnboundedReceiver<Inbound>) {
    while let Some(Inbound {
        peer,
        protocol,
        stream,
    }) = inbound.recv().await
    {
        tokio::spawn(async move {
            let result = if protocol == ECHO {
                serve_echo(stream).await
            } else {
                serve_sink(stream).await
            };
            if let Err(error) = result {
                log(&format!("{protocol} for {peer}: {error}"));
            }
        });
    }
}

async fn serve_echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return stream.close().await;
        }
        stream.write_all(&buffer[..read]).await?;
        stream.flush().await?;
    }
}

async fn serve_sink(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut count = 0u64;
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        count += read as u64;
    }
    stream.write_all(&count.to_be_bytes()).await?;
    stream.close().await
}

pub struct Echoed {
    pub bytes: u64,
    pub matches: bool,
    pub took: Duration,
}

/// Sends `bytes` and compares what comes back, both at the same time: the far
/// end has no room for everything before the first byte is read.
pub async fn echo(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    bytes: u64,
) -> Result<Echoed, String> {
    let started = Instant::now();
    let pattern = Pattern::new();
    let (mut reader, mut writer) = stream.split();

    let write = async {
        let mut buffer = vec![0; BUFFER];
        let mut sent = 0;
        while sent < bytes {
            let chunk = chunk_of(&mut buffer, bytes - sent);
            pattern.fill(sent, chunk);
            writer
                .write_all(chunk)
                .await
                .map_err(|error| format!("write failed after {sent} of {bytes} bytes: {error}"))?;
            sent += chunk.len() as u64;
        }
        writer
            .close()
            .await
            .map_err(|error| format!("close failed after {sent} of {bytes} bytes: {error}"))
    };
    let read = async {
        let mut buffer = vec![0; BUFFER];
        let mut expected = vec![0; BUFFER];
        let mut received = 0u64;
        let mut matches = true;
        loop {
            let read = reader.read(&mut buffer).await.map_err(|error| {
                format!("read failed after {received} of {bytes} bytes: {error}")
            })?;
            if read == 0 {
                break;
            }
            pattern.fill(received, &mut expected[..read]);
            matches &= buffer[..read] == expected[..read];
            received += read as u64;
        }
        if received < bytes {
            return Err(format!("echo ended after {received} of {bytes} bytes"));
        }
        Ok((received, matches && received == bytes))
    };

    let ((), (bytes, matches)) = futures::future::try_join(write, read).await?;
    Ok(Echoed {
        bytes,
        matches,
        took: started.elapsed(),
    })
}

/// Sends `bytes` to a sink and returns the count it answers with.
pub async fn send(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    bytes: u64,
    chunk: usize,
) -> Result<(u64, Duration), String> {
    let started = Instant::now();
    let mut buffer = vec![0; chunk];
    Pattern::new().fill(0, &mut buffer);

    let mut sent = 0;
    while sent < bytes {
        let chunk = chunk_of(&mut buffer, bytes - sent);
        stream
            .write_all(chunk)
            .await
            .map_err(|error| format!("write failed after {sent} of {bytes} bytes: {error}"))?;
        sent += chunk.len() as u64;
    }
    stream
        .close()
        .await
        .map_err(|error| format!("close failed after {sent} of {bytes} bytes: {error}"))?;

    let mut count = [0; 8];
    stream
        .read_exact(&mut count)
        .await
        .map_err(|error| format!("no count after {sent} bytes: {error}"))?;
    Ok((u64::from_be_bytes(count), started.elapsed()))
}

/// Sends `count` pings, one after the other.
pub async fn ping(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    count: u64,
) -> Result<Vec<Duration>, String> {
    let mut times = Vec::new();
    for number in 1..=count {
        let started = Instant::now();
        let mut sent = [0; 32];
        let mut received = [0; 32];
        Pattern::new().fill(0, &mut sent);
        let exchange = async {
            stream.write_all(&sent).await?;
            stream.flush().await?;
            stream.read_exact(&mut received).await
        };
        exchange
            .await
            .map_err(|error| format!("ping {number} of {count}: {error}"))?;
        if sent != received {
            return Err(format!("ping {number} of {count}: other bytes came back"));
        }
        times.push(started.elapsed());
    }
    // The answerer sees a finished stream, not a broken one.
    stream.close().await.map_err(|error| error.to_string())?;
    Ok(times)
}

fn chunk_of(buffer: &mut [u8], left: u64) -> &mut [u8] {
    let length = left.min(buffer.len() as u64) as usize;
    &mut buffer[..length]
}

/// Pseudo-random bytes that can be produced from any offset, so the reader
/// needs no copy of what the writer sent.
struct Pattern(u64);

impl Pattern {
    /// A pattern of its own for every stream: bytes that end up on the wrong
    /// stream are noticed.
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(mix(u64::from(process::id()) << 32 | count))
    }

    fn fill(&self, offset: u64, buffer: &mut [u8]) {
        let mut position = offset;
        let mut rest = buffer;
        while !rest.is_empty() {
            let word = mix(self.0.wrapping_add(position / 8)).to_le_bytes();
            let skip = (position % 8) as usize;
            let length = rest.len().min(8 - skip);
            let (now, later) = rest.split_at_mut(length);
            now.copy_from_slice(&word[skip..skip + length]);
            position += length as u64;
            rest = later;
        }
    }
}

/// The splitmix64 finalizer.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
