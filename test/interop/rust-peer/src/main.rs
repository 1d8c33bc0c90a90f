//! How does the program start, take its orders and end?
//!
//! Flags in, one `ready` line out, then JSON lines both ways until stdin closes
//! or SIGTERM arrives. Only the protocol goes to stdout; everything else goes
//! to stderr.

mod commands;
mod driver;
mod flags;
mod security;
mod stream_behaviour;
mod streams;
mod swarm;

use std::{
    io::{BufRead, Write},
    process::exit,
};

use serde_json::Value;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

fn main() {
    let flags = flags::parse(std::env::args().skip(1)).unwrap_or_else(|error| fail(&error));

    // One thread is enough for a test peer, and leaves the cores to the relay.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap_or_else(|error| fail(&format!("no runtime: {error}")));

    if let Err(error) = runtime.block_on(run(flags)) {
        fail(&error);
    }
    // Dropping the runtime would wait for the thread blocked on stdin.
    exit(0);
}

async fn run(flags: flags::Flags) -> Result<(), String> {
    let (to_serve, inbound) = mpsc::unbounded_channel();
    tokio::spawn(streams::serve(inbound));

    let swarm = swarm::build(&flags, to_serve)?;
    let (requests, driver) = driver::start(swarm, &flags)?;

    let mut terminated = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut lines = stdin_lines();
    tokio::pin!(driver);

    loop {
        tokio::select! {
            line = lines.recv() => match line {
                // Each command is its own task, so a slow one holds up no other.
                Some(line) => {
                    let requests = requests.clone();
                    tokio::spawn(async move { emit(&commands::answer(&line, requests).await) });
                }
                None => return Ok(()),
            },
            _ = terminated.recv() => return Ok(()),
            result = &mut driver => return result,
        }
    }
}

/// Reads stdin on a thread of its own; the channel closes when stdin does.
fn stdin_lines() -> mpsc::UnboundedReceiver<Vec<u8>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        // Bytes, not text: a line that is no UTF-8 gets an error answer like
        // any other malformed one.
        for line in std::io::stdin().lock().split(b'\n') {
            let Ok(line) = line else { return };
            if !line.trim_ascii().is_empty() && sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Prints one line of the protocol. Without a reader there is nothing left to do.
pub fn emit(value: &Value) {
    let mut stdout = std::io::stdout().lock();
    if writeln!(stdout, "{value}")
        .and_then(|()| stdout.flush())
        .is_err()
    {
        exit(1);
    }
}

/// Says something to whoever debugs a test. A closed stderr is no reason to end.
pub fn log(message: &str) {
    let _ = writeln!(std::io::stderr(), "rust-peer: {message}");
}

fn fail(message: &str) -> ! {
    log(message);
    exit(1);
}
