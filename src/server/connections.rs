//! Limits on connections: how many, and how long they may be idle.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use log::warn;
use rocket::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use rocket::tokio::net::TcpStream;
use rocket::tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use rocket::tokio::time::{Sleep, sleep};

use socket2::SockRef;

use crate::auth::ip_site;
use crate::seldom::Seldom;

/// How long a client may take to read more of a response, which is kept in memory until then.
const WRITE_WITHIN: Duration = Duration::from_secs(30);
/// The kernel's send buffer for a client that does not read, in bytes.
const SEND_BUFFER: usize = 64 * 1024;
/// How long the server reads on after the last response, and how much.
const HEARD_FOR: Duration = Duration::from_secs(2);
const HEARD_AT_MOST: usize = 256 * 1024;
/// File descriptors reserved for other uses: the database, the log, the listener.
const OTHER_FILES: u64 = 200;
/// The maximum number of connections, if the system allows that many open files.
const MAX_CONNECTIONS: u64 = 10_000;
/// One address may have one in this many connections, both of all and of the free ones.
const SHARE_OF_ONE: usize = 16;
/// The maximum number of concurrent requests of one client, including those that wait for a hash. Multiplied by the
/// client's allowance.
const MAX_REQUESTS_OF_ONE: usize = 128;

/// Counts connections in total and by peer, and requests by client: a client that opens thousands of connections
/// must not use up those of others.
pub(super) struct Connections {
    free: Arc<Semaphore>,
    by_peer: Arc<BySite>,
    requests: Arc<BySite>,
    reading: Arc<Readings>,
    no_more: Seldom,
}

/// A counted connection.
pub(super) struct Counted {
    _by_peer: Option<CountedBySite>,
    _permit: OwnedSemaphorePermit,
}

/// Counts by site.
struct BySite {
    most: usize,
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// One unit of the count.
pub(super) struct CountedBySite {
    all: Arc<BySite>,
    site: IpAddr,
}

impl Connections {
    pub(super) fn new() -> Arc<Self> {
        #[cfg(unix)]
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        #[cfg(not(unix))]
        let files = None;
        let most = files.map_or(MAX_CONNECTIONS, |files| files.saturating_sub(OTHER_FILES).max(50));
        if most < MAX_CONNECTIONS {
            warn!("there may be {most} connections only: the limit on open files is low");
        }
        let most = usize::try_from(most.min(MAX_CONNECTIONS)).unwrap_or(usize::MAX);
        Arc::new(Self {
            free: Arc::new(Semaphore::new(most)),
            by_peer: BySite::new((most / SHARE_OF_ONE).max(1)),
            requests: BySite::new(MAX_REQUESTS_OF_ONE.min(most / 4).max(1)),
            reading: Readings::new(MAX_REQUESTS_OF_ONE.min(most / 4).max(1)),
            no_more: Seldom::default(),
        })
    }

    /// Waits until another connection is allowed.
    pub(super) async fn permit(&self) -> OwnedSemaphorePermit {
        if self.free.available_permits() == 0 {
            self.no_more.note(|times| warn!("no connection is free; {times} had to wait"));
        }
        match self.free.clone().acquire_owned().await {
            Ok(permit) => permit,
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Counts a connection of this peer, unless the peer stands for many clients; `None` if it has too many.
    pub(super) fn count(
        &self,
        peer: IpAddr,
        stands_for_many: bool,
        permit: OwnedSemaphorePermit,
    ) -> Option<Counted> {
        // The fewer are free, the fewer one address may have: a handful of addresses must not take them all.
        let most = self.free.available_permits() / SHARE_OF_ONE;
        let by_peer = if stands_for_many { None } else { Some(self.by_peer.count(peer, 1, most)?) };
        Some(Counted { _by_peer: by_peer, _permit: permit })
    }

    /// Counts a request whose body has arrived; `None` if this client has too many.
    pub(super) fn count_request(&self, client: IpAddr, allowance: i64) -> Option<CountedBySite> {
        self.requests.count(client, usize::try_from(allowance).unwrap_or(1), usize::MAX)
    }

    /// Counts a request whose body is still arriving. Without a limit, a proxy that streams bodies would spend all
    /// its connections on one client. If there are too many, the oldest gives way: a slow client must not lock out
    /// others at the same address.
    pub(super) fn begin_reading(&self, client: IpAddr, allowance: i64) -> Reading {
        self.reading.begin(client, usize::try_from(allowance).unwrap_or(1))
    }
}

/// Requests whose bodies are arriving, by site, oldest first.
struct Readings {
    most: usize,
    begun: Mutex<HashMap<IpAddr, VecDeque<Arc<Notify>>>>,
}

/// One of these requests.
pub(super) struct Reading {
    all: Arc<Readings>,
    site: IpAddr,
    gives_way: Arc<Notify>,
}

impl Readings {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, begun: Mutex::default() })
    }

    fn begin(self: &Arc<Self>, address: IpAddr, times: usize) -> Reading {
        let (site, gives_way) = (ip_site(address), Arc::new(Notify::new()));
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let own = begun.entry(site).or_default();
        if own.len() >= self.most.saturating_mul(times)
            && let Some(oldest) = own.pop_front()
        {
            oldest.notify_one();
        }
        own.push_back(gives_way.clone());
        Reading { all: self.clone(), site, gives_way }
    }
}

impl Reading {
    /// Returns when it must make room for a newer one.
    pub(super) async fn gives_way(&self) {
        self.gives_way.notified().await;
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut begun = self.all.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = begun.get_mut(&self.site) {
            own.retain(|other| !Arc::ptr_eq(other, &self.gives_way));
            if own.is_empty() {
                begun.remove(&self.site);
            }
        }
    }
}

impl BySite {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, counts: Mutex::default() })
    }

    /// Adds one, if the count is below the limit and below `at_most`.
    fn count(
        self: &Arc<Self>,
        address: IpAddr,
        times: usize,
        at_most: usize,
    ) -> Option<CountedBySite> {
        let site = ip_site(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let own = counts.entry(site).or_default();
        if *own >= self.most.saturating_mul(times).min(at_most.max(1)) {
            if *own == 0 {
                counts.remove(&site);
            }
            return None;
        }
        *own += 1;
        Some(CountedBySite { all: self.clone(), site })
    }
}

impl Drop for CountedBySite {
    fn drop(&mut self) {
        let mut counts = self.all.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = counts.get_mut(&self.site) {
            *own -= 1;
            if *own == 0 {
                counts.remove(&self.site);
            }
        }
    }
}

/// A connection that closes when the client stops reading. Before closing, it reads the rest of what the client
/// sends: closing during a body would reset the connection, and the client would never see the response; a proxy
/// would also take this server for broken (RFC 9112, 9.6).
pub(super) struct Socket {
    stream: TcpStream,
    reading: Arc<Body>,
    stuck: Option<Pin<Box<Sleep>>>,
    last_words: Option<LastWords>,
}

/// What may still be read after the last response.
struct LastWords {
    until: Pin<Box<Sleep>>,
    heard: usize,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, reading: Arc<Body>) -> Self {
        // Otherwise the kernel would buffer megabytes for a client that never reads.
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
        Self { stream, reading, stuck: None, last_words: None }
    }

    fn is_stuck<T>(
        &mut self,
        context: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.stuck = None;
            return progress;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(WRITE_WITHIN)));
        ready!(stuck.as_mut().poll(context));
        // Reset instead of a regular close: the kernel would keep unread data for minutes.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.reading.has_read(buffer.filled().len() - before)?;
        Poll::Ready(Ok(()))
    }
}

/// How many bytes a body may still take on the wire, including chunk sizes, which a client may pad with zeros
/// indefinitely.
pub(super) struct Body(AtomicUsize);

impl Default for Body {
    fn default() -> Self {
        Self(AtomicUsize::new(usize::MAX))
    }
}

impl Body {
    /// A body begins.
    pub(super) fn begins(&self, most: usize) {
        self.0.store(most, Ordering::Relaxed);
    }

    /// The body has ended.
    pub(super) fn ends(&self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }

    fn has_read(&self, bytes: usize) -> io::Result<()> {
        let left = self.0.load(Ordering::Relaxed);
        if left == usize::MAX {
            return Ok(());
        }
        self.0.store(left.saturating_sub(bytes), Ordering::Relaxed);
        if left < bytes { Err(io::ErrorKind::InvalidData.into()) } else { Ok(()) }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.is_stuck(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.is_stuck(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.is_stuck(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, last_words, .. } = &mut *self;
        if last_words.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
        }
        let last = last_words
            .get_or_insert_with(|| LastWords { until: Box::pin(sleep(HEARD_FOR)), heard: 0 });
        let mut bytes = [0; 4096];
        while last.heard < HEARD_AT_MOST && last.until.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut bytes);
            let heard = ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer));
            if heard.is_err() || buffer.filled().is_empty() {
                break;
            }
            last.heard += buffer.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rocket::async_test]
    async fn one_address_has_its_share_of_the_connections_and_a_proxy_all() {
        let connections = Connections {
            free: Arc::new(Semaphore::new(64)),
            by_peer: BySite::new(2),
            requests: BySite::new(2),
            reading: Readings::new(2),
            no_more: Seldom::default(),
        };
        let [thief, proxy] = [[203, 0, 113, 1], [10, 0, 0, 1]].map(IpAddr::from);
        let mut held = Vec::new();
        for n in 0..4 {
            let counted = connections.count(thief, false, connections.permit().await);
            assert_eq!(counted.is_some(), n < 2);
            held.extend(counted);
        }
        for _ in 0..50 {
            held.extend(connections.count(proxy, true, connections.permit().await));
        }
        // When few are free, each newcomer gets one.
        let other = IpAddr::from([203, 0, 113, 2]);
        for n in 0..2 {
            let counted = connections.count(other, false, connections.permit().await);
            assert_eq!(counted.is_some(), n < 1);
            held.extend(counted);
        }
        for _ in 0..11 {
            held.extend(connections.count(proxy, true, connections.permit().await));
        }
        assert_eq!((held.len(), connections.free.available_permits()), (64, 0));
        held.clear();
        assert!(connections.by_peer.counts.lock().unwrap().is_empty());
        assert_eq!(connections.free.available_permits(), 64);
    }
}
