//! The most expensive requests: every header, path, query and body in every shape that a parser may dislike, in
//! growing sizes. Counts the bytes that a request makes the service allocate, which do not depend on the machine.
//! Outside CI, tries a random sample of the shapes.

use std::cell::Cell;
use std::net::SocketAddr;

use allocation_counter::{AllocationInfo, measure};
use rocket::http::Method::{Get, Post};
use rocket::tokio::io::{AsyncReadExt, AsyncWriteExt};
use rocket::tokio::net::TcpStream;
use rocket::tokio::runtime::{Builder, Runtime};
use rocket::tokio::task::JoinHandle;
use tempfile::TempDir;

use crate::harness::{TestApp, settings, some_of};
use crate::proxies::free_port;

const KB: usize = 1024;

/// The most bytes that a request may hold at a time (promise 68).
const MOST_AT_ONCE: u64 = 4 * 1024 * 1024;

/// The service as the binary runs it, on one thread, so that all its allocations are counted.
struct Server {
    runtime: Runtime,
    address: SocketAddr,
    task: JoinHandle<()>,
    _folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let database = format!("sqlite:{}", folder.path().join("test.sqlite3").display());
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let figment = settings(folder.path(), &database)
            .merge(("address", "127.0.0.1"))
            .merge(("port", address.port()))
            .merge(("vestibule.throttle.attempts_by_ip", 1_000_000));
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let task = runtime.spawn(async move {
            vestibule::serve(vestibule::service(figment)).await.unwrap();
        });
        let server = Self { runtime, address, task, _folder: folder };
        server.runtime.block_on(async {
            while TcpStream::connect(address).await.is_err() {
                rocket::tokio::task::yield_now().await;
            }
        });
        // Do not count what is allocated once, at the first request.
        server.send(b"GET /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        server
    }

    /// Sends this; returns the status, or 0 if the connection was closed, and its cost.
    fn send(&self, request: &[u8]) -> (u16, AllocationInfo) {
        let status = Cell::new(0);
        let info = measure(|| {
            self.runtime.block_on(async {
                let mut stream = TcpStream::connect(self.address).await.unwrap();
                let mut buffer = [0; 4096];
                // A server that has read enough closes the connection while we still write.
                let _ = stream.write_all(request).await;
                let _ = stream.shutdown().await;
                let mut first = true;
                while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                    if first && n > 12 {
                        let code = std::str::from_utf8(&buffer[9..12]).unwrap_or("0");
                        status.set(code.parse().unwrap_or(0));
                    }
                    first = false;
                }
            });
        });
        (status.get(), info)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Repeats a shape up to a size.
fn fill(shape: &[u8], size: usize) -> Vec<u8> {
    shape.iter().copied().cycle().take(size).collect()
}

fn with_header(name: &str, value: &[u8], twice: bool) -> Vec<u8> {
    let mut request =
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n"
            .to_vec();
    for _ in 0..=usize::from(twice) {
        request.extend_from_slice(name.as_bytes());
        request.extend_from_slice(b": ");
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

fn with_body(path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// Sends the same shape in growing sizes: none is an error of ours, none takes much memory, and what is read takes
/// memory in proportion.
fn grows_in_proportion(server: &Server, what: &str, request: impl Fn(usize) -> Vec<u8>) {
    let sizes = [KB, 4 * KB, 15 * KB, 31 * KB, 64 * KB, 128 * KB, KB * KB];
    let mut smallest = None;
    for size in sizes {
        let (status, cost) = server.send(&request(size));
        assert!(status < 500, "{what}, {size} bytes: {status}");
        assert!(cost.bytes_max < MOST_AT_ONCE, "{what}, {size} bytes: {} at once", cost.bytes_max);
        let smallest = *smallest.get_or_insert(cost.bytes_total);
        // Input that is too long is not read; the rest may take this much per byte.
        let read = u64::try_from(size.min(32 * KB)).unwrap();
        let most = smallest + 160 * read;
        assert!(cost.bytes_total < most, "{what}, {size} bytes: {} in all", cost.bytes_total);
    }
}

/// Promise 68.
#[test]
fn no_header_costs_more_than_its_length() {
    let server = Server::start();
    let names = [
        "Accept",
        "Accept-Encoding",
        "Authorization",
        "Content-Type",
        "Cookie",
        "Expect",
        "Forwarded",
        "Host",
        "Origin",
        "Sec-Fetch-Site",
        "Upgrade",
        "User-Agent",
        "X-Forwarded-For",
        "X-Odd",
    ];
    let shapes: [&[u8]; 16] = [
        b"a/b,",
        b"a/b;q=0.1,",
        b"*/*",
        b";a=b",
        b"a=b; ",
        b"a=\";",
        b",",
        b";",
        b"\"\\",
        b"%",
        b"%41",
        b"\xe9",
        b"1.1.1.1,",
        b"[::1],",
        b" a",
        b"a",
    ];
    for name in names {
        for shape in some_of(shapes, 5) {
            for twice in [false, true] {
                let what =
                    format!("{name} of {:?}, twice: {twice}", shape.escape_ascii().to_string());
                grows_in_proportion(&server, &what, |size| {
                    with_header(name, &fill(shape, size), twice)
                });
            }
        }
    }
    // A type, and what may follow it.
    for shape in [&b";a=b"[..], b"; a=\"b\"", b";", b"+json"] {
        grows_in_proportion(&server, "Content-Type", |size| {
            with_header("Content-Type", &[b"text/html", &*fill(shape, size)].concat(), false)
        });
    }
    grows_in_proportion(&server, "many headers", |size| {
        with_header("A", &fill(b"\r\nA:", size / 4 * 4), false)
    });
}

/// Promise 68.
#[test]
fn no_path_and_no_query_costs_more_than_its_length() {
    let server = Server::start();
    let shapes =
        ["/", "/.", "/..", "/%2e%2e", "a", "%", "%41", "%ff", "//a", "?", "&a=b", "[", "a/"];
    for shape in some_of(shapes, 4) {
        for start in ["/", "/login?next=/", "/login?", "/password-reset/", "/static/vestibule.css?"]
        {
            grows_in_proportion(&server, &format!("{start} and {shape}"), |size| {
                let path = fill(shape.as_bytes(), size);
                [
                    b"GET ",
                    start.as_bytes(),
                    &path,
                    b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                ]
                .concat()
            });
        }
    }
    grows_in_proportion(&server, "a method", |size| {
        [&*fill(b"A", size), b" / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"]
            .concat()
    });
}

/// Promise 68.
#[test]
fn no_body_costs_more_than_its_length() {
    let server = Server::start();
    let form = "application/x-www-form-urlencoded";
    let json = "application/json";
    let multipart = "multipart/form-data; boundary=b";
    let part = "--b\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\nx\r\n";
    let shapes: [(&str, &[u8]); 26] = [
        (form, b"a=b&"),
        (form, b"email=a&"),
        (form, b"email=a%40b&password=x&"),
        (form, b"&"),
        (form, b"="),
        (form, b"+"),
        (form, b"%"),
        (form, b"%41"),
        (form, b"\xff"),
        (form, b"a.b=&"),
        (form, b"a[b]=&"),
        (json, b"["),
        (json, b"{\"a\":"),
        (json, b"{\"email\":\"a\",\"a\":\""),
        (json, b"\"\\u0041"),
        (json, b"1"),
        (json, b" "),
        (json, b"\xef\xbb\xbf"),
        (multipart, part.as_bytes()),
        (multipart, b"--b\r\n"),
        (
            multipart,
            b"--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\n\r\n",
        ),
        (multipart, b"--b\r\nA: b\r\n"),
        (multipart, b"--b\r\nContent-Disposition: "),
        (multipart, b"-"),
        ("multipart/form-data; boundary=", b"--\r\n"),
        ("text/plain", b"a"),
    ];
    for (kind, shape) in some_of(shapes, 3) {
        for path in ["/login", "/api/v1/session", "/signup"] {
            let what = format!("{path}, {kind}: {:?}", shape.escape_ascii().to_string());
            grows_in_proportion(&server, &what, |size| with_body(path, kind, &fill(shape, size)));
        }
    }
    // As much in one value, or in one name.
    for start in [&b"email="[..], b"email=a%40example.com&password=", b"", b"next=/"] {
        grows_in_proportion(&server, "one value", |size| {
            with_body("/login", form, &[start, &*fill(b"a", size)].concat())
        });
    }
    // A body without a declared length.
    grows_in_proportion(&server, "chunks", |size| {
        let head = format!(
            "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {form}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        [head.as_bytes(), &*fill(b"1\r\na\r\n", size / 6 * 6), b"0\r\n\r\n"].concat()
    });
}

/// Promise 68: in a host's Rocket, whose server reads anything, no long `Accept` is parsed on any path.
#[test]
fn in_any_rocket_a_long_accept_is_refused_unread() {
    let app = TestApp::start(
        |figment| figment,
        |figment| rocket::custom(figment).attach(vestibule::stage()),
    );
    app.visit("/login").is(200);
    let accept = "a/b,".repeat(16 * KB);
    for path in ["/login", "/profile", "/api/v1/session", "/nowhere", "/"] {
        for method in [Get, Post] {
            let cost = measure(|| {
                app.request(method, path, &[("Accept", &accept)], None).is(431);
            });
            assert!(cost.bytes_max < MOST_AT_ONCE, "{path}: {} at once", cost.bytes_max);
        }
    }
}
