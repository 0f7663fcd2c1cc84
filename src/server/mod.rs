//! The HTTP server of the binary. Rocket 0.5.2's own server cannot be given limits: it parses headers of any length
//! before any fairing runs, and some of its parsers take memory in the square of that; it drops a whole `Cookie`
//! header for one byte that is not UTF-8, waits forever for data that never arrives, and answers unknown methods
//! without any fairing. So hyper, on which Rocket is built, reads the requests here, and Rocket gets them through
//! its local client, complete and within limits.

mod connections;
mod request;
mod response;
mod shutdown;
mod work;

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, DATE, HOST, HeaderName, HeaderValue, LOCATION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use log::{info, warn};
use rocket::data::ToByteUnit;
use rocket::error::ErrorKind;
use rocket::futures::FutureExt;
use rocket::http::Method;
use rocket::local::asynchronous::Client;
use rocket::tokio::net::{TcpListener, TcpSocket, TcpStream};
use rocket::tokio::select;
use rocket::tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use rocket::tokio::task::JoinSet;
use rocket::tokio::time::{Instant, sleep, sleep_until, timeout_at};
use rocket::{Build, Rocket};

use crate::auth::{Auth, ip_site, on_behalf_of};
use crate::config::{Config, ConfigError, Must};
use crate::seldom::Seldom;
use crate::{urls, web, words};
use connections::{Body, Connections, Socket};
use request::{acceptable, last_hops, read_body, with_headers};
use response::{Answer, bare, respond, too_many};
use shutdown::{Stop, let_nobody_in};
use work::Work;

/// The maximum size of a request's head. hyper answers longer ones with 431.
const MAX_HEAD: usize = 16 * 1024;
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
    let config = config.map_err(|e| ConfigError::of(&e))?;
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
    let client = started.map_err(|error| ServeError(NotServed::Rocket(reason(&error))))?;
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

/// Rocket's reason, with the routes that collide.
fn reason(error: &rocket::Error) -> String {
    let ErrorKind::Collisions(found) = error.kind() else { return error.kind().to_string() };
    let routes = found.routes.iter().map(|(one, other)| format!("{one} and {other}"));
    let catchers = found.catchers.iter().map(|(one, other)| format!("{one} and {other}"));
    let (routes, catchers): (Vec<_>, Vec<_>) = (routes.collect(), catchers.collect());
    words::start::collisions(&routes.join("; "), &catchers.join("; "))
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
        // More than 100 headers are refused too, by hyper's default: to set that number costs an allocation a request.
        .max_buf_size(MAX_HEAD);
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

/// Tells the connection that a request has begun.
struct Begun {
    is_at_work: Arc<AtomicBool>,
    reading: Arc<Body>,
}

/// Answers one request.
async fn answer(
    app: Arc<App>,
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    alive: mpsc::Sender<Infallible>,
    begun: Begun,
) -> Result<Answer, Infallible> {
    let is_at_work = begun.is_at_work.clone();
    let work = async move {
        let answer = AssertUnwindSafe(app.answer(request, peer, &begun)).catch_unwind().await;
        let mut answer = answer.unwrap_or_else(|_| bare(hyper::StatusCode::INTERNAL_SERVER_ERROR));
        if app.is_leaving.load(Ordering::Relaxed) {
            // Otherwise a proxy would send the next request over a connection that is about to close.
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // hyper's own stands still after a clock was set back, until it has caught up.
        if let Some(auth) = app.client.rocket().state::<Auth>()
            && let Ok(date) = httpdate::fmt_http_date(auth.now().into()).try_into()
        {
            answer.headers_mut().entry(DATE).or_insert(date);
        }
        drop((app, alive));
        answer
    };
    let answer = Work::new(work).await;
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
            body = read_body(&head.headers, body, self.max_body, &begun.reading) => match body {
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
        // `OPTIONS *` is about the server as a whole (RFC 9110, 9.3.7).
        let uri = head.uri.path_and_query().map_or("/", |uri| uri.as_str());
        let uri = if uri == "*" && head.method == hyper::Method::OPTIONS { "/" } else { uri };
        // Rocket accepts `get` as `GET`; methods are case-sensitive (RFC 9110, 9.1).
        let method = Method::from_str(head.method.as_str()).ok();
        let method = method.filter(|method| method.as_str() == head.method.as_str());
        let local = match (method, acceptable(uri)) {
            (Some(method), Some(uri)) => self.client.req(method, uri),
            // Rocket has no name for it. No path has a route for TRACE either: it is answered alike.
            (None, Some(uri)) => self.client.req(Method::Trace, uri),
            (_, None) => self.client.get(self.settings.urls.refusal(urls::UNREADABLE)),
        };
        let mut local = with_headers(local, &head.headers, &self.hops).remote(peer);
        local.set_body(&body);
        begun.is_at_work.store(true, Ordering::Release);
        // Clients of one site share their permits for the database.
        // Pinned in place: the future is too large to be moved.
        let dispatched = pin!(local.dispatch());
        let dispatched = on_behalf_of(Some(ip_site(client)), dispatched);
        let mut answer = respond(dispatched.await).await;
        if self.is_whole_service
            && answer.headers().get(LOCATION).is_some_and(|to| to.len() > MAX_LOCATION)
        {
            answer.headers_mut().insert(LOCATION, HeaderValue::from_static("/"));
        }
        drop(counted);
        answer
    }
}

/// Why the server did not start.
pub struct ServeError(pub(crate) NotServed);

pub(crate) enum NotServed {
    Config(ConfigError),
    Listen {
        address: SocketAddr,
        error: std::io::Error,
    },
    /// Rocket's message; it has logged the reason itself.
    Rocket(String),
}

/// As its `Display`: `main` prints it.
impl fmt::Debug for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ServeError {}

impl From<ConfigError> for ServeError {
    fn from(error: ConfigError) -> Self {
        Self(NotServed::Config(error))
    }
}
