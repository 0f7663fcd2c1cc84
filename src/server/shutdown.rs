//! Shutting down: the signals that ask for it, and closing the port.

use log::warn;
use rocket::tokio::net::TcpListener;
use rocket::tokio::select;
use rocket::tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(target_os = "linux")]
use socket2::{SockFilter, SockRef};

/// The shutdown signals. Registered once for the whole life of the process, so that a signal that arrives while
/// nothing waits for it is not lost.
pub(super) struct Stop(Option<(Signal, Signal)>);

impl Stop {
    pub(super) fn listen() -> Self {
        let signals = signal(SignalKind::terminate())
            .and_then(|term| Ok((term, signal(SignalKind::interrupt())?)));
        Self(signals.inspect_err(|e| warn!("signals cannot be listened for: {e}")).ok())
    }

    /// Returns after SIGTERM or SIGINT.
    pub(super) async fn asked(&mut self) {
        let Some((term, int)) = &mut self.0 else { return std::future::pending().await };
        select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    }
}

/// Makes the kernel drop packets that begin a connection, so that none is established between the last accept and
/// the closing of the port. TCP clients retry, and find the port closed.
#[cfg(target_os = "linux")]
pub(super) fn let_nobody_in(listener: &TcpListener) {
    // BPF as in linux/filter.h: take SYN and ACK from the byte with the flags (RFC 9293, 3.1); drop the packet if
    // only SYN is set, and accept all others: the end of a handshake in progress must get through.
    let _ = SockRef::from(listener).attach_filter(&[
        SockFilter::new(0x30, 0, 0, 13),
        SockFilter::new(0x54, 0, 0, 0x12),
        SockFilter::new(0x15, 0, 1, 0x02),
        SockFilter::new(0x06, 0, 0, 0),
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ]);
}

#[cfg(not(target_os = "linux"))]
pub(super) fn let_nobody_in(_: &TcpListener) {}
