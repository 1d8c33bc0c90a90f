//! Which security protocols does the peer offer?
//!
//! libp2p chooses them by type, which would compile every transport once per
//! choice. One type that offers a list chosen at run time compiles once.

use std::{io, str::FromStr};

use futures::{
    AsyncRead, AsyncWrite,
    future::{BoxFuture, Either, FutureExt},
};
use libp2p::{
    PeerId,
    core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo},
    identity::Keypair,
    noise, tls,
};

#[derive(Clone, Copy)]
pub enum Security {
    Noise,
    Tls,
    Both,
}

impl FromStr for Security {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "noise" => Ok(Security::Noise),
            "tls" => Ok(Security::Tls),
            "both" => Ok(Security::Both),
            _ => Err("none of noise, tls, both"),
        }
    }
}

const NOISE: &str = "/noise";
const TLS: &str = "/tls/1.0.0";

#[derive(Clone)]
pub struct Upgrade {
    offered: &'static [&'static str],
    noise: noise::Config,
    tls: tls::Config,
}

impl Upgrade {
    pub fn new(choice: Security, keypair: &Keypair) -> io::Result<Self> {
        Ok(Self {
            offered: match choice {
                Security::Noise => &[NOISE],
                Security::Tls => &[TLS],
                // The order of preference of rust-libp2p's documentation.
                Security::Both => &[TLS, NOISE],
            },
            noise: noise::Config::new(keypair).map_err(io::Error::other)?,
            tls: tls::Config::new(keypair).map_err(io::Error::other)?,
        })
    }
}

impl UpgradeInfo for Upgrade {
    type Info = &'static str;
    type InfoIter = std::iter::Copied<std::slice::Iter<'static, &'static str>>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.offered.iter().copied()
    }
}

type Secured<C> = (PeerId, Either<noise::Output<C>, tls::TlsStream<C>>);

impl<C> InboundConnectionUpgrade<C> for Upgrade
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Secured<C>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Secured<C>>>;

    fn upgrade_inbound(self, socket: C, info: Self::Info) -> Self::Future {
        async move {
            if info == NOISE {
                let secured = self.noise.upgrade_inbound(socket, info).await;
                secured
                    .map(|(peer, stream)| (peer, Either::Left(stream)))
                    .map_err(io::Error::other)
            } else {
                let secured = self.tls.upgrade_inbound(socket, info).await;
                secured
                    .map(|(peer, stream)| (peer, Either::Right(stream)))
                    .map_err(io::Error::other)
            }
        }
        .boxed()
    }
}

impl<C> OutboundConnectionUpgrade<C> for Upgrade
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Secured<C>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Secured<C>>>;

    fn upgrade_outbound(self, socket: C, info: Self::Info) -> Self::Future {
        async move {
            if info == NOISE {
                let secured = self.noise.upgrade_outbound(socket, info).await;
                secured
                    .map(|(peer, stream)| (peer, Either::Left(stream)))
                    .map_err(io::Error::other)
            } else {
                let secured = self.tls.upgrade_outbound(socket, info).await;
                secured
                    .map(|(peer, stream)| (peer, Either::Right(stream)))
                    .map_err(io::Error::other)
            }
        }
        .boxed()
    }
}
