//! Clients on loopback, and the server they talk to.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream as BlockingStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocket::tokio::io::{AsyncReadExt, AsyncWriteExt};
use rocket::tokio::net::TcpStream;
use rocket::tokio::runtime::{Builder, Runtime};
use rocket::tokio::time::{sleep_until, timeout};
use sha2::{Digest, Sha256};

/// A server of the release build in its own process.
pub struct Server {
    child: Child,
    pub port: u16,
    pub first_answer: Duration,
}

impl Server {
    pub fn start(mut command: Command) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        command.env("ROCKET_PORT", port.to_string()).env("ROCKET_LOG_LEVEL", "off");
        command.env("ROCKET_PROFILE", "release").stdin(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let child = command.spawn().unwrap();
        let mut server = Self { child, port, first_answer: Duration::ZERO };
        while start.elapsed() < Duration::from_secs(30) {
            if server.answers() {
                server.first_answer = start.elapsed();
                return server;
            }
            std::thread::yield_now();
        }
        panic!("the server does not answer");
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = BlockingStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let asked = stream.write_all(
            b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        );
        let mut line = String::new();
        asked.is_ok() && BufReader::new(&mut stream).read_line(&mut line).is_ok_and(|n| n > 0)
    }

    pub fn resident_mib(&self) -> f64 {
        let mut status = String::new();
        let path = format!("/proc/{}/status", self.child.id());
        let read = std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut status));
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        read.ok().and(kib).unwrap_or(f64::NAN) / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// A request as sent over the wire.
#[derive(Clone)]
pub struct Request {
    head: String,
    body: String,
}

impl Request {
    pub fn get(path: &str, cookie: Option<&str>) -> Self {
        let mut head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n");
        if let Some(cookie) = cookie {
            head = format!("{head}Cookie: session_id={cookie}\r\n");
        }
        Self { head, body: String::new() }
    }

    pub fn accept(mut self, kinds: &str) -> Self {
        self.head = format!("{}Accept: {kinds}\r\n", self.head);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        format!("{}\r\n{}", self.head, self.body).into_bytes()
    }
}

/// A form post.
pub fn form(path: &str, body: &str) -> Request {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
        body.len()
    );
    Request { head, body: body.to_owned() }
}

pub struct Answer {
    pub status: u16,
    /// The session cookie of the response.
    pub cookie: Option<String>,
}

/// One keep-alive connection.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    async fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::with_capacity(8192) }
    }

    /// Sends a request and reads the response; the bytes of its head stay in the buffer.
    async fn send(&mut self, request: &[u8]) -> u16 {
        self.stream.write_all(request).await.unwrap();
        self.buffer.clear();
        loop {
            let n = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert!(n > 0, "the server hung up");
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let length = content_length(&self.buffer[..end]);
                while self.buffer.len() < end + 4 + length {
                    assert!(self.stream.read_buf(&mut self.buffer).await.unwrap() > 0);
                }
                self.buffer.truncate(end);
                return std::str::from_utf8(&self.buffer[9..12]).unwrap().parse().unwrap();
            }
        }
    }

    fn cookie(&self) -> Option<String> {
        let head = String::from_utf8_lossy(&self.buffer);
        let line = head.lines().find_map(|line| line.strip_prefix("set-cookie: session_id="))?;
        Some(line.split(';').next()?.to_owned())
    }
}

fn content_length(head: &[u8]) -> usize {
    let name = b"content-length: ";
    let Some(at) = head.windows(name.len()).position(|window| window == name) else { return 0 };
    head[at + name.len()..]
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .fold(0, |n, b| n * 10 + usize::from(b - b'0'))
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Sends each request once, over this many connections; returns the responses in order.
pub fn each_once(port: u16, connections: usize, requests: Vec<Request>) -> Vec<Answer> {
    let queue: VecDeque<(usize, Request)> = requests.into_iter().enumerate().collect();
    let (queue, done) = (Arc::new(Mutex::new(queue)), Arc::new(Mutex::new(Vec::new())));
    runtime().block_on(async {
        let workers: Vec<_> = (0..connections)
            .map(|_| {
                let (queue, done) = (queue.clone(), done.clone());
                rocket::tokio::spawn(async move {
                    let mut client = Client::connect(port).await;
                    loop {
                        let next = queue.lock().unwrap().pop_front();
                        let Some((n, request)) = next else { break };
                        let status = client.send(&request.bytes()).await;
                        let answer = Answer { status, cookie: client.cookie() };
                        done.lock().unwrap().push((n, answer));
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.await.unwrap();
        }
    });
    let mut done = std::mem::take(&mut *done.lock().unwrap());
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, answer)| answer).collect()
}

pub struct Rate {
    pub rate: f64,
    /// Responses that were neither a page nor a redirect.
    pub errors: usize,
}

/// A number of clients, each sending its next request when the last one was answered.
pub fn closed_loop(port: u16, clients: usize, requests: &[Request], time: Duration) -> Rate {
    let requests: Arc<Vec<Vec<u8>>> = Arc::new(requests.iter().map(Request::bytes).collect());
    let start = Instant::now();
    let (count, errors, took) = runtime().block_on(async {
        let workers: Vec<_> = (0..clients)
            .map(|n| {
                let requests = requests.clone();
                rocket::tokio::spawn(async move {
                    let mut client = Client::connect(port).await;
                    let (mut count, mut errors) = (0_usize, 0);
                    // Each client begins at another request, so that all sessions are used equally.
                    let mut next = n * requests.len() / clients;
                    while start.elapsed() < time {
                        let status = client.send(&requests[next % requests.len()]).await;
                        errors += usize::from(!matches!(status, 200 | 303));
                        next += usize::from(requests.len() != clients);
                        count += 1;
                    }
                    (count, errors)
                })
            })
            .collect();
        let (mut count, mut errors) = (0, 0);
        for worker in workers {
            let (n, bad) = worker.await.unwrap();
            (count, errors) = (count + n, errors + bad);
        }
        (count, errors, start.elapsed())
    });
    Rate { rate: count as f64 / took.as_secs_f64(), errors }
}

/// A fixed number of requests per second, each sent on time whether or not the last one was answered; returns the
/// seconds from the scheduled time to the response.
pub fn at_rate(port: u16, per_second: u32, requests: &[Request], time: Duration) -> Vec<f64> {
    const CONNECTIONS: usize = 20;
    let requests: Arc<Vec<Vec<u8>>> = Arc::new(requests.iter().map(Request::bytes).collect());
    let gap = Duration::from_secs(1) / per_second;
    runtime().block_on(async {
        let start = rocket::tokio::time::Instant::now() + Duration::from_millis(50);
        let workers: Vec<_> = (0..CONNECTIONS)
            .map(|n| {
                let requests = requests.clone();
                rocket::tokio::spawn(async move {
                    let mut client = Client::connect(port).await;
                    let mut latencies = Vec::new();
                    let mut k = n;
                    loop {
                        let due = gap * u32::try_from(k).unwrap();
                        if due > time {
                            return latencies;
                        }
                        sleep_until(start + due).await;
                        // The timer is accurate to a millisecond: measure from when it fires, or from when it was
                        // due if this connection was still waiting.
                        let begun = rocket::tokio::time::Instant::now();
                        let late = begun - (start + due);
                        let from =
                            if late > Duration::from_millis(2) { start + due } else { begun };
                        let request = &requests[k % requests.len()];
                        let status = timeout(Duration::from_secs(20), client.send(request)).await;
                        assert_eq!(status.unwrap(), 200);
                        latencies.push(from.elapsed().as_secs_f64());
                        k += CONNECTIONS;
                    }
                })
            })
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.await.unwrap());
        }
        all
    })
}

/// Adds sessions to a database that is not in use: these, and a number of unused ones.
pub fn add_sessions(database: &std::path::Path, tokens: &[[u8; 32]], unused: u32) {
    use sqlx::ConnectOptions;
    const INTO: &str = "INSERT INTO vestibule_sessions (digest, id, user_id, remembered, created_at, last_seen_at, authenticated_at, \
                        expires_at, ip, user_agent) ";
    const ROW: &str = "randomblob(16), u.id, 1, u.created_at, u.created_at, u.created_at, 9999999999999, \
                       '203.0.113.7', 'Mozilla/5.0'";
    const OF: &str = "(SELECT id, created_at FROM vestibule_users LIMIT 1) u";
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    runtime().block_on(async {
        let mut db = options.connect().await.unwrap();
        sqlx::query("BEGIN").execute(&mut db).await.unwrap();
        for token in tokens {
            let sql = sqlx::AssertSqlSafe(format!("{INTO} SELECT $1, {ROW} FROM {OF}"));
            let digest = Sha256::digest(token).to_vec();
            sqlx::query(sql).bind(digest).execute(&mut db).await.unwrap();
        }
        let sql = sqlx::AssertSqlSafe(format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {unused}) \
             {INTO} SELECT randomblob(32), {ROW} FROM n, {OF} LIMIT {unused}"
        ));
        sqlx::query(sql).execute(&mut db).await.unwrap();
        sqlx::query("COMMIT").execute(&mut db).await.unwrap();
    });
}

/// Changes a database directly, even while it is in use.
pub fn run_sql(database: &std::path::Path, sql: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    runtime().block_on(async {
        use sqlx::ConnectOptions;
        let mut db = options.connect().await.unwrap();
        sqlx::query(sql).execute(&mut db).await.unwrap();
    });
}

pub fn median(values: &mut [f64]) -> f64 {
    percentile(values, 0.5)
}

pub fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let at = (values.len() as f64 * part) as usize;
    values[at.min(values.len() - 1)]
}
