//! The proxies of `docs/deployment.md`, configured as documented, in front of the real binary: slow requests are
//! cut off, and the service learns the client IP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rocket::tokio::net::TcpSocket;
use tempfile::TempDir;

use crate::harness::ADA;
use crate::harness::in_ci;
use crate::harness::process::{Process, form_post, sign_up_form};

const DOCUMENT: &str = include_str!("../../docs/deployment.md");

/// The documented configuration, with shorter time-outs outside CI.
fn quick(language: &str) -> String {
    let within = if in_ci() { "10s" } else { "2s" };
    snippet(language).replace("10s", within)
}

/// The documented configuration in this language.
pub fn snippet(language: &str) -> &'static str {
    let rest = DOCUMENT.split_once(&format!("```{language}\n")).unwrap().1;
    rest.split("```").next().unwrap()
}

/// A proxy at `port`, without TLS.
pub struct Proxy {
    child: Child,
    pub port: u16,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Proxy {
    /// `None`, with a message, if the program is not installed; in CI that is a failure.
    pub fn start(program: &str, folder: &Path, words: &[&str], port: u16) -> Option<Self> {
        let path = std::env::var("PATH").unwrap_or_default();
        let child = Command::new(program)
            .args(words)
            .env("PATH", format!("{path}:/usr/sbin"))
            .envs(["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"].map(|name| (name, folder)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("errors.log")).unwrap())
            .spawn();
        let Ok(child) = child else {
            assert!(!in_ci(), "{program} must be there in CI");
            let _ = writeln!(
                std::io::stderr(),
                "\nSKIPPED: nothing was tested behind {program}. Install it to do so.\n"
            );
            return None;
        };
        let proxy = Self { child, port };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "{program} does not start");
            std::thread::yield_now();
        }
        Some(proxy)
    }

    /// Sends this from another address of this machine; returns what arrives until the connection closes.
    fn send(&self, request: &str) -> String {
        let runtime = rocket::tokio::runtime::Builder::new_current_thread().enable_all().build();
        let to: SocketAddr = ([127, 0, 0, 1], self.port).into();
        let mut stream = runtime.unwrap().block_on(async {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
            socket.connect(to).await.unwrap().into_std().unwrap()
        });
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).expect("the proxy hangs up on who is slow");
        String::from_utf8_lossy(&seen).into_owned()
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start_service(folder: &Path) -> Process {
    Process::start(folder, &[("VESTIBULE_TRUSTED_PROXIES", "127.0.0.1")])
}

/// Promise 30, and what Rocket cannot do: it has no time-out for slow requests.
fn does_its_part(proxy: &Proxy, service: &mut Process) {
    let form = form_post("/signup", &sign_up_form(ADA));
    let forged = form.replacen("Host:", "X-Forwarded-For: 6.6.6.6\r\nHost:", 1);
    assert!(proxy.send(&forged).contains("303 See Other"));
    assert!(service.line("event=signed-up").contains("address=127.0.0.2 "));
    let slow = [
        "",
        "GET /login HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nemail=",
    ];
    std::thread::scope(|scope| {
        for request in slow {
            scope.spawn(move || {
                let seen = proxy.send(request);
                // Some versions of Caddy answer 200 without a body.
                assert!(!seen.contains("<html lang="), "{request:?} {seen}");
            });
        }
    });
}

/// Promise 18: whatever happens to a request, no log contains the secret of its link.
fn keeps_secrets(proxy: &Proxy, service: Process, logs: &[&Path]) {
    const TOKEN: &str = "Ab_JqkhHwM_Us5_7leP7oP-oR4g-k4rXvukmiVbNs3Q";
    let ask_all = || {
        for method in ["GET", "HEAD", "POST", "PROPFIND", "OPTIONS"] {
            for path in [
                format!("/password-reset/{TOKEN}"),
                format!("/verify-email/{TOKEN}"),
                format!("//password-reset/{TOKEN}?a=b"),
                format!("/%70assword-reset/{TOKEN}"),
                format!("/{}/../password-reset/{TOKEN}", "a".repeat(41)),
            ] {
                proxy.send(&format!(
                    "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                ));
            }
        }
    };
    ask_all();
    drop(service);
    // The proxy cannot reach the service, and logs that.
    ask_all();
    proxy.send("GET /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut all = String::new();
    let begun_at = Instant::now();
    while !all.contains("/login") {
        assert!(begun_at.elapsed() < Duration::from_secs(10), "the proxy logs: {all}");
        all = logs.iter().filter_map(|log| std::fs::read_to_string(log).ok()).collect();
    }
    assert!(!all.contains(TOKEN), "{all}");
}

/// nginx with this in its `http` block.
pub fn start_nginx(folder: &Path, http: &str, port: u16) -> Option<Proxy> {
    let place = folder.display();
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {place}/{kind};"))
        .concat();
    let config = folder.join("nginx.conf");
    let text = format!(
        "daemon off; master_process off; pid {place}/pid; events {{}}\nhttp {{ {paths}\n{http} }}"
    );
    std::fs::write(&config, text).unwrap();
    let log = folder.join("nginx.log");
    let words = ["-c", config.to_str().unwrap(), "-e", log.to_str().unwrap()];
    Proxy::start("nginx", folder, &words, port)
}

#[test]
fn nginx_as_documented() {
    let folder = TempDir::new().unwrap();
    let mut service = start_service(folder.path());
    let port = free_port();
    let text = quick("nginx");
    let lines = text.split_inclusive('\n');
    let server: String = lines.filter(|line| !line.contains("ssl_certificate")).collect();
    let server = server
        .replace("listen 443 ssl;", &format!("listen 127.0.0.1:{port};"))
        .replace("127.0.0.1:8000", &format!("127.0.0.1:{}", service.port))
        .replace("/var/log/nginx", &folder.path().display().to_string());
    let Some(proxy) = start_nginx(folder.path(), &server, port) else { return };
    let log = folder.path().join("nginx.log");
    does_its_part(&proxy, &mut service);
    keeps_secrets(&proxy, service, &[&log, &folder.path().join("accounts.log")]);
}

#[test]
fn caddy_as_documented() {
    let folder = TempDir::new().unwrap();
    let mut service = start_service(folder.path());
    let port = free_port();
    let text = quick("caddyfile")
        .replacen("{\n", "{\n    admin off\n    default_bind 127.0.0.1\n", 1)
        .replace("accounts.example.com", &format!("http://localhost:{port}"))
        .replace("127.0.0.1:8000", &format!("127.0.0.1:{}", service.port));
    let config = folder.path().join("Caddyfile");
    std::fs::write(&config, text).unwrap();
    let words = ["run", "--adapter", "caddyfile", "--config", config.to_str().unwrap()];
    let Some(proxy) = Proxy::start("caddy", folder.path(), &words, port) else { return };
    does_its_part(&proxy, &mut service);
    keeps_secrets(&proxy, service, &[&folder.path().join("errors.log")]);
}
