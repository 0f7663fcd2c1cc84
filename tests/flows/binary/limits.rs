//! Limits: slow, silent and malformed clients, and a full disk.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::process::{Process, answer, command, form_post, sign_up_form};
use crate::harness::{ADA, in_ci};

/// Promise 26: only the configured number of threads hash, at low priority.
#[cfg(target_os = "linux")]
#[test]
fn hashes_run_on_threads_of_their_own() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[("VESTIBULE_HASHING__WORKERS", "3")]);
    service.sign_up(ADA);
    let tasks = std::fs::read_dir(format!("/proc/{}/task", service.id())).unwrap();
    let nice: Vec<i32> = tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok())
        // proc_pid_stat(5): the name in parentheses, then the fields from the third on.
        .filter_map(|stat| {
            let (name, rest) = stat.split_once(") ")?;
            name.contains("(hash-").then(|| rest.split(' ').nth(16)?.parse().ok())?
        })
        .collect();
    assert_eq!(nice, [10, 10, 10]);
}

/// Promise 68: a body that arrives byte by byte takes no more memory than its bytes.
#[cfg(target_os = "linux")]
#[test]
fn a_body_in_tiny_pieces_takes_no_more_memory() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    let before = service.resident_kib();
    let streams: Vec<TcpStream> = (0..12)
        .map(|_| {
            let head = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 6000\r\n\r\n";
            let stream = service.send(head);
            stream.set_nodelay(true).unwrap();
            stream
        })
        .collect();
    for _ in 0..5999 {
        for mut stream in &streams {
            stream.write_all(b"a").unwrap();
        }
    }
    let grown = service.resident_kib().saturating_sub(before);
    assert!(grown < 4 * 1024, "{grown} KiB for 72 KB");
    for mut stream in streams {
        stream.write_all(b"a").unwrap();
        let mut line = [0; 10];
        std::io::Read::read_exact(&mut stream, &mut line).unwrap();
        assert_eq!(&line, b"HTTP/1.1 4", "it says no word of an address");
    }
}

/// Promise 68: a proxy streams bodies. One client's incomplete requests must not use up its connections.
#[test]
fn incomplete_requests_of_one_client_lock_nobody_out() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[("VESTIBULE_TRUSTED_PROXIES", "127.0.0.1")]);
    // Half of them begin with a hop that is not ASCII, as nginx would pass it on.
    let half = |network: usize| {
        let said: &[u8] = if network.is_multiple_of(2) { b"" } else { b"\xe9, " };
        let head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ";
        let rest = format!(
            "2001:db8:1:{network:x}::1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nemail="
        );
        service.send_bytes(&[head, said, rest.as_bytes()].concat())
    };
    let held: Vec<TcpStream> = (0..160).map(half).collect();
    // More than the limit: the oldest give way as soon as the others arrive.
    let begun_at = Instant::now();
    let is_over = |stream: &TcpStream| {
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        matches!(stream.peek(&mut [0; 12]), Ok(n) if n > 0)
    };
    while held.iter().filter(|stream| is_over(stream)).count() < 32 {
        assert!(begun_at.elapsed() < Duration::from_secs(20), "one site has all that it wants");
    }
    let gave_way = held.into_iter().find(is_over).unwrap();
    gave_way.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let gave_way = answer(gave_way);
    assert!(gave_way.starts_with("HTTP/1.1 408"), "{gave_way}");
    // Neither a neighbour nor anybody else has to wait for them.
    for from in ["2001:db8:1:ffff::1", "198.51.100.1"] {
        let form = sign_up_form(&format!("p{}@example.com", from.len()));
        let post = form_post("/signup", &form).replacen(
            "Content-Type",
            &format!("X-Forwarded-For: {from}\r\nContent-Type"),
            1,
        );
        let seen = answer(service.send(&post));
        assert!(seen.starts_with("HTTP/1.1 303"), "{seen}");
    }
}

/// Promise 68: an endless chunk size costs no more than a body may.
#[test]
fn a_body_is_bounded_on_the_wire() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    for (piece, status) in
        [("0", "400"), ("1\r\na\r\n", "400"), ("10\r\naaaaaaaaaaaaaaaa\r\n", "422")]
    {
        let mut stream = service.send(
            "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n",
        );
        let body = piece.repeat(if status == "422" { 1_000 } else { 1_000_000 });
        // The service stops reading before that.
        let _ = stream.write_all(body.as_bytes());
        let _ = stream.write_all(b"0\r\n\r\n");
        let seen = answer(stream);
        assert!(
            seen.is_empty() || seen.starts_with(&format!("HTTP/1.1 {status}")),
            "{piece:?} {seen}"
        );
        assert!(!seen.is_empty() || status == "400", "an honest one is read");
    }
}

/// Thousands of silent connections, and hundreds of slow ones.
#[cfg(unix)]
#[test]
fn silent_and_slow_connections_delay_nobody() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    let silent: Vec<TcpStream> = (0..1_000).map(|_| service.send("")).collect();
    let mut slow: Vec<TcpStream> = (0..300)
        .map(|_| {
            service.send("POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n")
        })
        .collect();
    for byte in [b"e", b"m", b"a"] {
        for stream in &mut slow {
            stream.write_all(byte).unwrap();
        }
        assert!(service.get("/health/live").contains("200 OK"));
        assert!(service.get("/login").contains("200 OK"));
    }
    assert!(service.sign_up(ADA).contains("303 See Other"));
    drop((silent, slow));
}

/// Events that strangers can cause do not fill the log.
#[test]
fn malformed_requests_do_not_fill_the_log() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    for n in 0..200 {
        let path = ["/login", "/signup", "/nowhere", "/password-reset"][n % 4];
        answer(service.post(path, "%=%&&=[&a.b=&\u{1}"));
        for origin in ["Origin: null\r\n", ""] {
            answer(service.send(&format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{origin}Content-Type: x/y\r\nContent-Length: 1\r\n\r\nx"
            )));
        }
    }
    service.signal("-TERM");
    let (_, log) = service.end();
    assert!(log.len() < 100, "{} lines", log.len());
    let warned = log.iter().filter(|line| line.contains("the browser says they come from")).count();
    assert_eq!(warned, 1);
}

/// Promise 53: a full disk. (Simulated by the limit on file sizes, which gives the same error.)
#[cfg(unix)]
#[test]
fn a_full_disk_gives_a_plain_answer_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    service.sign_up(ADA);
    service.signal("-TERM");
    assert!(service.end().0.success());

    let plain = command(folder.path(), &[("VESTIBULE_THROTTLE__ATTEMPTS_BY_IP", "100000")]);
    let full = format!("trap '' XFSZ; ulimit -f 600; exec {}", plain.get_program().display());
    let mut shell = Command::new("sh");
    shell.args(["-c", &full]).envs(plain.get_envs().filter_map(|(k, v)| Some((k, v?))));
    shell
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let service = Process::run(shell);
    let mut taken = 0;
    let refused = (0..2_000).find_map(|n| {
        let seen = service.sign_up(&format!("p{n}@example.com"));
        if seen.contains("303 See Other") {
            taken += 1;
            return None;
        }
        Some(seen)
    });
    let refused = refused.expect("the disk gets full");
    assert!(
        refused.contains("503 Service Unavailable") && refused.contains("reference"),
        "{refused}"
    );
    assert!(service.get("/login").contains("200 OK"));
    assert!(service.get("/health/live").contains("200 OK"));
    drop(service);

    let service = Process::start(folder.path(), &[]);
    assert!(service.get("/health/ready").contains("200 OK"));
    for n in [0, taken - 1] {
        let form = sign_up_form(&format!("p{n}@example.com"));
        assert!(answer(service.post("/login", &form)).contains("303 See Other"), "{n} of {taken}");
    }
}

/// A TCP state (`tcp_states.h`).
#[cfg(target_os = "linux")]
const ESTABLISHED: &str = "01";

/// The bytes in the send queue of each connection to this port, with its state (`proc_net_tcp(5)`).
#[cfg(target_os = "linux")]
fn unread(port: u16) -> Vec<(String, usize)> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = rows.filter(|row| row[1].ends_with(&format!(":{port:04X}")) && row[3] != "0A");
    ours.map(|row| {
        let (sent, _) = row[4].split_once(':').unwrap();
        (row[3].to_owned(), usize::from_str_radix(sent, 16).unwrap())
    })
    .collect()
}

/// Promise 68: clients that do not read their responses cost little and delay nobody. After half a minute their
/// connections are reset, and nothing is kept for them.
#[cfg(target_os = "linux")]
#[test]
fn clients_that_do_not_read_are_disconnected() {
    const CLIENTS: usize = 32;
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    service.sign_up("eve@example.com");
    let before = service.resident_kib();
    // More responses than the kernel buffers, to requests that the service reads at once: with unread input, a
    // connection would be reset in any case.
    let request = b"GET /static/vestibule.css HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let requests = &request.repeat(120)[..];
    let streams: Vec<TcpStream> = (0..CLIENTS).map(|_| service.send_bytes(requests)).collect();
    let is_stuck = |(state, bytes): &(String, usize)| state == ESTABLISHED && *bytes > 0;
    let stuck = || unread(service.port).into_iter().filter(is_stuck).count();
    let begun_at = Instant::now();
    while stuck() < CLIENTS {
        assert!(begun_at.elapsed() < Duration::from_secs(20), "{:?}", unread(service.port));
    }
    // Half of them keep sending requests.
    std::thread::scope(|scope| {
        for mut stream in streams.iter().step_by(2) {
            // Writing fails when the connection is reset.
            scope.spawn(move || while stream.write_all(requests).is_ok() {});
        }
        assert!(service.get("/login").contains("200 OK"));
        assert!(service.sign_up(ADA).contains("303 See Other"));
        let kept = unread(service.port);
        assert!(kept.iter().all(|(_, bytes)| *bytes <= 256 * 1024), "{kept:?}");
        let grown = service.resident_kib().saturating_sub(before);
        assert!(grown < 8 * 1024, "{grown} KiB");
        if !in_ci() {
            // Outside CI, do not wait half a minute.
            for stream in &streams {
                stream.shutdown(Shutdown::Both).unwrap();
            }
        }
    });
    while in_ci() && stuck() > 0 {
        assert!(begun_at.elapsed() < Duration::from_secs(100), "they are cut off");
    }
    let kept = unread(service.port);
    assert!(!in_ci() || kept.iter().all(|(_, bytes)| *bytes == 0), "{kept:?}");
}
