//! The HTTP server of the binary. Rocket 0.5.2's own server cannot be given limits: it parses headers of any length
//! before any fairing runs, and some of its parsers take memory in the square of that; it drops a whole `Cookie`
//! header for one byte that is not UTF-8, waits forever for data that never arrives, and answers unknown methods
//! without any fairing. So hyper, on which Rocket is built, reads the requests here, and Rocket gets them through
//! its local client, complete and within limits.

mod connections;

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt::Write;
use std::net::SocketAddr;
use std::pin::pin;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use log::{info, warn};
use percent_encoding::percent_decode_str;
use rocket::data::ToByteUnit;
use rocket::futures::FutureExt;
use rocket::http::uri::Origin;
use rocket::http::{Cookie, Header, Method};
use rocket::local::asynchronous::{Client, LocalRequest, LocalResponse};
use rocket::tokio::io::AsyncReadExt;
use rocket::tokio::net::{TcpListener, TcpSocket, TcpStream};
use rocket::tokio::signal::unix::{Signal, SignalKind, signal};
use rocket::tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use rocket::tokio::task::JoinSet;
use rocket::tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use rocket::tokio::{select, spawn};
use rocket::{Build, Rocket};
#[cfg(target_os = "linux")]
use socket2::{SockFilter, SockRef};

use crate::auth::{Auth, on_behalf_of};
use crate::config::{Config, ConfigError, Must};
use crate::seldom::Seldom;
use crate::{urls, web, words};
use connections::{Body, Connections, Socket};

/// The maximum size of a request's head. hyper answers longer ones with 431.
const MAX_HEAD: usize = 16 * 1024;
/// The maximum number of headers.
const MAX_HEADERS: usize = 100;
/// The maximum length of `Content-Type`, in bytes.
const MAX_CONTENT_TYPE: usize = 1024;
/// The maximum number of cookies; browsers keep fewer per site.
const MAX_COOKIES: usize = 200;
/// The maximum length of `Location`, in bytes: nginx treats a response with more than 4 KiB of headers as an error
/// of the node.
const MAX_LOCATION: usize = 1200;
/// A chunked body may take this many times the size of its data on the wire.
const WIRE_FACTOR: usize = 2;
/// How long a client may take for the head of a request, and again for its body.
const READ_WITHIN: Duration = Duration::from_secs(30);
/// How long requests that have just begun may still arrive during shutdown.
const LAST_REQUESTS: Duration = Duration::from_secs(2);
/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;
/// How long a handshake in progress may take when the port closes; a client behind a load balancer considers itself
/// connected.
const HANDSHAKES: Duration = Duration::from_millis(200);
/// How long the database has for closing if requests took all of `shutdown.grace`.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// How long the server sleeps when it cannot accept a connection, usually because too many files are open.
const ACCEPT_AGAIN: Duration = Duration::from_millis(250);

/// Serves a Rocket until SIGTERM or SIGINT, or until its [`Shutdown`](rocket::Shutdown) is notified; then answers
/// requests in flight, for at most `shutdown.grace` seconds.
///
/// Use it for your own app in place of `launch()` to limit what clients send. Requests and responses are held in
/// memory as a whole, so it is not for apps that stream or take large files. TLS is left to a proxy.
///
/// # Errors
/// If the server cannot listen on the address, or a fairing refuses the start.
pub async fn serve(rocket: Rocket<Build>) -> Result<(), ServeError> {
    let config = rocket::Config::try_from(rocket.figment());
    let config = config.map_err(|e| ConfigError::from(&e))?;
    let address = SocketAddr::new(config.address, config.port);
    let listen = |error| ServeError(NotServed::Listen { address, error });
    // Bound, but not listening yet: a proxy that is refused asks another node; one that connects would wait until
    // this node is ready.
    let socket = bind(address).map_err(listen)?;
    let port = socket.local_addr().map_err(listen)?.port();
    // Links contain the port: with port 0 it is known only now.
    let figment = rocket.figment().clone().merge(("port", port));
    let is_whole_service = rocket.state::<web::WholeService>().is_some();
    let max_body = max_body(&config, is_whole_service);
    let mut stop = Stop::listen();
    let started = select! {
        started = Client::untracked(rocket.configure(figment)) => started,
        // A start may wait for others for minutes, and the first process of a container ignores signals without a
        // handler.
        () = stop.asked() => {
            info!("asked to stop before it was ready");
            return Ok(());
        }
    };
    let client = started.map_err(|e| ServeError(NotServed::Rocket(e.kind().to_string())))?;
    let settings: Option<&Arc<Config>> = client.rocket().state();
    let settings = settings.cloned().unwrap_or_default();
    let hops = HeaderName::from_str(&settings.client_ip_header)
        .map_err(|_| ConfigError::must("vestibule.client_ip_header", Must::HeaderName))?;
    // Only now are the database open and its tables migrated, which may take a minute.
    let listener = socket.listen(BACKLOG).map_err(listen)?;
    let origin = settings.origin();
    info!("{}", words::start::listening(address.ip(), port, &origin));
    let (counts, is_leaving) = (Connections::new(), AtomicBool::new(false));
    let app = App { client, max_body, is_whole_service, hops, settings, counts, is_leaving };
    run(listener, Arc::new(app), &config, stop).await;
    Ok(())
}

fn bind(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the connections of the previous process.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

struct App {
    client: Client,
    max_body: usize,
    /// Whether there is no host app, whose responses are its own concern.
    is_whole_service: bool,
    /// The header with the client IPs that proxies have added.
    hops: HeaderName,
    settings: Arc<Config>,
    counts: Arc<Connections>,
    /// Whether the server is shutting down, so that every response is the last one of its connection.
    is_leaving: AtomicBool,
}

/// The largest of the app's body limits.
fn max_body(config: &rocket::Config, is_whole_service: bool) -> usize {
    let ours = ["form", "data-form", "json", "string"].iter();
    let theirs = ["bytes", "file", "msgpack"].iter().filter(|_| !is_whole_service);
    let largest = ours.chain(theirs).filter_map(|name| config.limits.get(name)).max();
    usize::try_from(largest.unwrap_or_else(|| 32.kibibytes()).as_u64()).unwrap_or(usize::MAX)
}

/// Accepts connections until shutdown, and waits for the remaining ones.
async fn run(listener: TcpListener, app: Arc<App>, config: &rocket::Config, mut stop: Stop) {
    let shutdown = app.client.rocket().shutdown();
    let (end, is_over) = watch::channel(());
    // Each connection and each request holds a sender.
    let (alive, mut all_gone) = mpsc::channel::<Infallible>(1);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(READ_WITHIN)
        .keep_alive(config.keep_alive != 0)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS);
    let ended = async {
        select! {
            () = stop.asked() => info!("asked to stop: answering what is in flight"),
            () = shutdown.clone() => {}
        }
    };
    let failures = Seldom::default();
    let (drain, leaving) = (app.settings.drain, app.clone());
    let mut serving = Serving { builder, app, connections: JoinSet::new(), alive, is_over };
    {
        let mut accepting = std::pin::pin!(async {
            loop {
                let permit = serving.app.counts.permit().await;
                match listener.accept().await {
                    Ok((stream, peer)) => serving.take(stream, peer, permit),
                    Err(error) => {
                        failures
                            .note(|times| warn!("{times} connections were not accepted: {error}"));
                        sleep(ACCEPT_AGAIN).await;
                    }
                }
            }
        });
        select! {
            () = ended => {}
            () = accepting.as_mut() => {}
        }
        leaving.leave();
        if !drain.is_zero() {
            info!("not ready any more: requests are answered for {drain:?} still");
            select! {
                () = accepting => {}
                () = sleep(drain) => {}
                () = stop.asked() => {}
            }
        }
    }
    let handshakes = if drain.is_zero() { Duration::ZERO } else { HANDSHAKES };
    serving.take_last(listener, handshakes).await;
    shutdown.notify();
    let Serving { mut connections, app, alive, .. } = serving;
    drop((end, alive, leaving));
    let end = Instant::now() + Duration::from_secs(config.shutdown.grace.into());
    let is_clean = select! {
        _ = all_gone.recv() => true,
        () = sleep_until(end) => false,
        // A second signal means to stop at once.
        () = stop.asked() => false,
    };
    if !is_clean {
        warn!("{} connections are cut off", connections.len());
    }
    connections.shutdown().await;
    // A request still in progress holds the app. At worst, it finds a closed database.
    if let Ok(app) = Arc::try_unwrap(app) {
        let _ = timeout_at(end.max(Instant::now() + CLOSE_WITHIN), app.client.terminate()).await;
    }
}

/// The connections being served.
struct Serving {
    builder: http1::Builder,
    app: Arc<App>,
    connections: JoinSet<()>,
    alive: mpsc::Sender<Infallible>,
    is_over: watch::Receiver<()>,
}

impl Serving {
    /// Serves a new connection, if its peer has not too many.
    fn take(&mut self, stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit) {
        while self.connections.try_join_next().is_some() {}
        // A proxy, or another process of this machine, stands for many clients.
        let stands_for_many =
            self.app.settings.is_proxy(peer.ip()) || peer.ip().to_canonical().is_loopback();
        // The peer has too many: close the connection.
        let Some(counted) = self.app.counts.count(peer.ip(), stands_for_many, permit) else {
            return;
        };
        let _ = stream.set_nodelay(true);
        let (builder, app) = (self.builder.clone(), self.app.clone());
        let served =
            connection(builder, stream, peer, app, self.alive.clone(), self.is_over.clone());
        self.connections.spawn(async move {
            served.await;
            drop(counted);
        });
    }

    /// Serves the clients that are already connected, and closes the port: the kernel resets connections that were
    /// not accepted.
    async fn take_last(&mut self, listener: TcpListener, handshakes: Duration) {
        let_nobody_in(&listener);
        let until = Instant::now() + handshakes;
        while let Ok(Ok((stream, peer))) = timeout_at(until, listener.accept()).await {
            if let Some(permit) = self.app.counts.permit().now_or_never() {
                self.take(stream, peer, permit);
            }
        }
        let Ok(listener) = listener.into_std() else { return };
        let last: Vec<_> = (0..BACKLOG).map_while(|_| listener.accept().ok()).collect();
        drop(listener);
        for (stream, peer) in last {
            let permit = self.app.counts.permit().now_or_never();
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            if let (Ok(stream), Some(permit)) = (stream, permit) {
                self.take(stream, peer, permit);
            }
        }
    }
}

/// Makes the kernel drop packets that begin a connection, so that none is established between the last accept and
/// the closing of the port. TCP clients retry, and find the port closed.
#[cfg(target_os = "linux")]
fn let_nobody_in(listener: &TcpListener) {
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
fn let_nobody_in(_: &TcpListener) {}

/// Serves one connection to its end; during shutdown, to the end of the current request.
async fn connection(
    builder: http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    app: Arc<App>,
    alive: mpsc::Sender<Infallible>,
    mut is_over: watch::Receiver<()>,
) {
    let reading = Arc::new(Body::default());
    let is_at_work = Arc::new(AtomicBool::new(false));
    let has_begun = Arc::new(AtomicBool::new(false));
    let service = {
        let (alive, is_at_work) = (alive.clone(), is_at_work.clone());
        let (has_begun, reading) = (has_begun.clone(), reading.clone());
        service_fn(move |request: hyper::Request<Incoming>| {
            // Now, because hyper reads on while the request is being dispatched.
            if !request.body().is_end_stream() {
                reading.begins(WIRE_FACTOR.saturating_mul(app.max_body).saturating_add(MAX_HEAD));
            }
            has_begun.store(true, Ordering::Relaxed);
            let begun = Begun { is_at_work: is_at_work.clone(), reading: reading.clone() };
            answer(app.clone(), request, peer, alive.clone(), begun)
        })
    };
    let stream = TokioIo::new(Socket::new(stream, reading));
    let mut served = std::pin::pin!(builder.serve_connection(stream, service));
    // A client that disconnects is no error.
    select! {
        _ = served.as_mut() => return,
        _ = is_over.changed() => {}
    }
    // A connection that was just established has its request on the way: hyper would take it for idle and close it.
    if has_begun.load(Ordering::Relaxed) {
        served.as_mut().graceful_shutdown();
    }
    loop {
        select! {
            // First, so that a finished response is written.
            biased;
            _ = served.as_mut() => return,
            () = sleep(LAST_REQUESTS) => {
                // A request that has begun but not arrived by now never will.
                if !is_at_work.load(Ordering::Acquire) {
                    return;
                }
            }
        }
    }
}

/// The shutdown signals. Registered once for the whole life of the process, so that a signal that arrives while
/// nothing waits for it is not lost.
struct Stop(Option<(Signal, Signal)>);

impl Stop {
    fn listen() -> Self {
        let signals = signal(SignalKind::terminate())
            .and_then(|term| Ok((term, signal(SignalKind::interrupt())?)));
        Self(signals.inspect_err(|e| warn!("signals cannot be listened for: {e}")).ok())
    }

    /// Returns after SIGTERM or SIGINT.
    async fn asked(&mut self) {
        let Some((term, int)) = &mut self.0 else { return std::future::pending().await };
        select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    }
}

type Answer = hyper::Response<Full<Bytes>>;

/// Tells the connection that a request has begun.
struct Begun {
    is_at_work: Arc<AtomicBool>,
    reading: Arc<Body>,
}

/// Each request runs in its own task, so that it completes even if the client disconnects.
async fn answer(
    app: Arc<App>,
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    alive: mpsc::Sender<Infallible>,
    begun: Begun,
) -> Result<Answer, Infallible> {
    let is_at_work = begun.is_at_work.clone();
    // Boxed: a task is moved while it is created, and this one is large.
    let task = spawn(Box::pin(async move {
        let mut answer = app.answer(request, peer, &begun).await;
        if app.is_leaving.load(Ordering::Relaxed) {
            // Otherwise a proxy would send the next request over a connection that is about to close.
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        drop((app, alive));
        answer
    }));
    let answer = task.await.unwrap_or_else(|_| bare(hyper::StatusCode::INTERNAL_SERVER_ERROR));
    is_at_work.store(false, Ordering::Release);
    Ok(answer)
}

impl App {
    /// Announces the shutdown.
    fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
        if let Some(auth) = self.client.rocket().state::<Auth>() {
            auth.leave();
        }
    }

    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        peer: SocketAddr,
        begun: &Begun,
    ) -> Answer {
        let (head, body) = request.into_parts();
        // RFC 9112, 3.2: a proxy in front may have used the other one.
        let hosts = head.headers.get_all(HOST).iter().count();
        if hosts > 1 || (hosts == 0 && head.version == hyper::Version::HTTP_11) {
            return bare(hyper::StatusCode::BAD_REQUEST);
        }
        let hops = head.headers.get_all(&self.hops).iter().map(HeaderValue::as_bytes);
        let said = hops.filter_map(|list| std::str::from_utf8(last_hops(list)).ok());
        let said: Vec<&str> = said.collect();
        let client = web::client_address(peer.ip(), &said, &self.settings);
        let stands_for_many = web::is_internal(client) || self.settings.is_proxy(client);
        let allowance = self.settings.allowance(client, false);
        // A proxy has no more in flight unless it is being abused.
        let allowance = if stands_for_many { 8 * allowance.min(1_000) } else { allowance };
        let reading = (!body.is_end_stream()).then(|| self.counts.begin_reading(client, allowance));
        let gives_way = async {
            match &reading {
                Some(reading) => reading.gives_way().await,
                None => std::future::pending().await,
            }
        };
        let body = select! {
            // A body that has arrived is not dropped.
            biased;
            body = self.read(&head.headers, body, &begun.reading) => match body {
                Ok(body) => body,
                Err(status) => return bare(status),
            },
            () = gives_way => return bare(hyper::StatusCode::REQUEST_TIMEOUT),
        };
        // A request without a body does not wait for a hash: pages stay available at the address of a crowd.
        let counted = match reading {
            Some(_) => match self.counts.count_request(client, allowance) {
                Some(counted) => Some(counted),
                None => return too_many(),
            },
            None => None,
        };
        let uri = head.uri.path_and_query().map_or("/", |uri| uri.as_str());
        // Rocket accepts `get` as `GET`; methods are case-sensitive (RFC 9110, 9.1).
        let method = Method::from_str(head.method.as_str()).ok();
        let method = method.filter(|method| method.as_str() == head.method.as_str());
        let local = match (method, acceptable(uri)) {
            (Some(method), Some(uri)) => self.client.req(method, uri),
            (None, _) => self.client.get(urls::UNKNOWN_METHOD),
            (_, None) => self.client.get(urls::UNREADABLE),
        };
        let mut local = with_headers(local, &head.headers, &self.hops).remote(peer);
        local.set_body(&body);
        begun.is_at_work.store(true, Ordering::Release);
        // Clients of one site share their permits for the database.
        // Pinned in place: the future is too large to be moved.
        let dispatched = pin!(local.dispatch());
        let dispatched = on_behalf_of(Some(connections::site(client)), dispatched);
        let mut answer = respond(dispatched.await).await;
        if self.is_whole_service
            && answer.headers().get(LOCATION).is_some_and(|to| to.len() > MAX_LOCATION)
        {
            answer.headers_mut().insert(LOCATION, HeaderValue::from_static("/"));
        }
        drop(counted);
        answer
    }

    /// Reads a body, up to one byte more than is allowed, so that the reader notices that it is too large.
    async fn read(
        &self,
        head: &HeaderMap,
        mut body: Incoming,
        reading: &Body,
    ) -> Result<Vec<u8>, hyper::StatusCode> {
        if body.is_end_stream() {
            return Ok(Vec::new());
        }
        let said = head.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if said.is_some_and(|said: usize| said > self.max_body) {
            return Ok(Vec::new());
        }
        // Copied: each piece would keep the whole buffer that it was read into, 8 KiB for one byte.
        let collect = async {
            let mut all = Vec::new();
            while let Some(frame) = body.frame().await {
                let Ok(piece) = frame?.into_data() else { continue };
                all.extend_from_slice(&piece);
                if all.len() > self.max_body {
                    all.resize(self.max_body + 1, 0);
                    break;
                }
            }
            Ok::<_, hyper::Error>(all)
        };
        let collected = timeout(READ_WITHIN, collect).await;
        reading.ends();
        match collected {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(_)) => Err(hyper::StatusCode::BAD_REQUEST),
            Err(_) => Err(hyper::StatusCode::REQUEST_TIMEOUT),
        }
    }
}

/// The path and query in Rocket's syntax. Browsers do not escape some characters that it rejects.
fn acceptable(uri: &str) -> Option<Origin<'_>> {
    if let Ok(uri) = Origin::parse(uri) {
        return Some(uri);
    }
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&b);
    let mut escaped = String::with_capacity(3 * uri.len());
    for b in uri.bytes() {
        if is_plain(b) {
            escaped.push(b.into());
        } else {
            let _ = write!(escaped, "%{b:02X}");
        }
    }
    Origin::parse_owned(escaped).ok()
}

/// Passes on the headers that Rocket can parse cheaply.
fn with_headers<'c>(
    mut request: LocalRequest<'c>,
    head: &'c HeaderMap,
    hops: &HeaderName,
) -> LocalRequest<'c> {
    let known = request.inner_mut();
    for (name, value) in head {
        if [ACCEPT, CONTENT_TYPE, COOKIE].contains(name) {
            continue;
        }
        let value = if name == hops { last_hops(value.as_bytes()) } else { value.as_bytes() };
        // A value that is not UTF-8 is skipped, never replaced.
        if let Ok(value) = std::str::from_utf8(value) {
            known.add_header(Header::new(name.as_str(), value));
        }
    }
    if let Some(accept) = joined(head, &ACCEPT).filter(|accept| accept.len() <= web::MAX_ACCEPT) {
        known.add_header(Header::new("Accept", accept));
    }
    let kind = head.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if let Some(kind) = kind.filter(|kind| kind.len() <= MAX_CONTENT_TYPE) {
        known.add_header(Header::new("Content-Type", kind));
    }
    for (name, value) in cookie_pairs(head) {
        let value = percent_decode_str(value).decode_utf8();
        if let (false, Ok(value)) = (name.is_empty(), value) {
            request = request.cookie(Cookie::new(name, value));
        }
    }
    request
}

/// The part of a list of hops after its last non-ASCII byte: proxies have added it, and a client must not be able
/// to hide it by what it puts in front.
fn last_hops(list: &[u8]) -> &[u8] {
    let Some(bad) = list.iter().rposition(|b| !b.is_ascii()) else { return list };
    let comma = list[bad..].iter().position(|b| *b == b',');
    comma.map_or(&[], |comma| &list[bad + comma + 1..])
}

/// All lines of a header joined into one (RFC 9110, 5.3); `None` if there is none, or if one is not UTF-8.
fn joined<'h>(head: &'h HeaderMap, name: &HeaderName) -> Option<Cow<'h, str>> {
    let mut lines = head.get_all(name).iter().map(|line| std::str::from_utf8(line.as_bytes()).ok());
    let first = Cow::from(lines.next()??);
    lines.try_fold(first, |all, line| Some(all + ", " + line?))
}

/// The cookies that are UTF-8: others belong to another site on this domain, and must not take ours with them.
/// Names are not unescaped: to the browser, `%5F%5FHost-a` has no prefix and may be set by any subdomain, so it
/// must not be read as `__Host-a`.
fn cookie_pairs(head: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = head.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let pairs = lines.flat_map(|line| line.split(|b| *b == b';')).take(MAX_COOKIES);
    pairs.filter_map(|pair| {
        let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
        Some((name.trim_matches([' ', '\t']), value.trim_matches([' ', '\t'])))
    })
}

async fn respond(mut response: LocalResponse<'_>) -> Answer {
    let mut answer = hyper::Response::new(Full::default());
    *answer.status_mut() = hyper::StatusCode::from_u16(response.status().code)
        .unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().reserve(response.headers().len() + 1);
    for header in response.headers().iter() {
        let name = HeaderName::from_str(header.name().as_str());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(header.value())) {
            answer.headers_mut().append(name, value);
        }
    }
    // The response to a HEAD has a length and no body.
    let length = response.body().preset_size();
    // Some extra capacity: `read_to_end` reads on until there is no more data.
    let mut body = Vec::with_capacity(length.unwrap_or_default() + 64);
    if response.read_to_end(&mut body).await.is_err() {
        body.clear();
    }
    if body.is_empty()
        && let Some(length) = length
    {
        answer.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    *answer.body_mut() = Full::new(body.into());
    answer
}

/// A response to a client whose request is not complete, valid HTTP.
fn bare(status: hyper::StatusCode) -> Answer {
    let mut answer = hyper::Response::new(Full::default());
    *answer.status_mut() = status;
    for (name, value) in [
        (CONNECTION, "close"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// A response to a client with too many requests in flight.
fn too_many() -> Answer {
    let mut answer = bare(hyper::StatusCode::TOO_MANY_REQUESTS);
    answer.headers_mut().insert(hyper::header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

/// Why the server did not start.
#[derive(Debug)]
pub struct ServeError(pub(crate) NotServed);

#[derive(Debug)]
pub(crate) enum NotServed {
    Config(ConfigError),
    Listen {
        address: SocketAddr,
        error: std::io::Error,
    },
    /// Rocket's message; it has logged the reason itself.
    Rocket(String),
}

impl std::error::Error for ServeError {}

impl From<ConfigError> for ServeError {
    fn from(error: ConfigError) -> Self {
        Self(NotServed::Config(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &[(HeaderName, &[u8])]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_bytes(value).unwrap()))
            .collect()
    }

    /// Promise 69.
    #[test]
    fn a_foreign_cookie_takes_no_other_with_it() {
        let mut map = head(&[(COOKIE, b"visitor=Ren\xe9; session_id=abc;x")]);
        map.append(COOKIE, HeaderValue::from_static("late=1"));
        let pairs: Vec<_> = cookie_pairs(&map).collect();
        assert_eq!(pairs, [("session_id", "abc"), ("late", "1")]);
        let many = "a=1;".repeat(MAX_HEAD / 4);
        assert_eq!(cookie_pairs(&head(&[(COOKIE, many.as_bytes())])).count(), MAX_COOKIES);
    }

    /// Promise 30.
    #[test]
    fn what_proxies_say_is_heard_whatever_a_client_says_before() {
        for (list, read) in [
            (&b"203.0.113.7"[..], &b"203.0.113.7"[..]),
            (b"\xe9, 203.0.113.7", b" 203.0.113.7"),
            (
                b"6.6.6.6, \xff\xfe, 10.0.0.1,\xe9x, 203.0.113.7, 10.0.0.2",
                b" 203.0.113.7, 10.0.0.2",
            ),
            (b"203.0.113.7, \xe9", b""),
        ] {
            assert_eq!(last_hops(list), read);
        }
    }

    #[test]
    fn several_lines_are_one_header() {
        let mut map = head(&[(ACCEPT, b"text/html")]);
        map.append(ACCEPT, HeaderValue::from_static("*/*;q=0.1"));
        assert_eq!(joined(&map, &ACCEPT).as_deref(), Some("text/html, */*;q=0.1"));
        map.append(ACCEPT, HeaderValue::from_bytes(b"\xe9").unwrap());
        assert_eq!(joined(&map, &ACCEPT), None);
    }

    #[test]
    fn what_browsers_do_not_escape_is_no_fault_of_theirs() {
        assert_eq!(acceptable("/login?next=/a").unwrap().to_string(), "/login?next=/a");
        for uri in ["/a?b=c|d[e]^`{}\\", "/a\"<b>", "/%zz?%"] {
            let read = acceptable(uri).expect(uri).to_string();
            assert!(read.starts_with('/') && Origin::parse(&read).is_ok(), "{read}");
        }
        assert!(acceptable("*").is_none());
    }
}
