//! How the service stops, gracefully or not, on either database.

use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::harness::process::{
    Process, answer, ask, form_post, new_folder, session_cookie, sign_up_form,
};

/// Promise 54: killed during many sign-ups.
#[test]
fn an_answered_request_survives_a_kill_at_any_moment() {
    let folder = new_folder();
    for (round, answers) in [1, 7, 30].into_iter().enumerate() {
        let service =
            Process::start(folder.path(), &[("VESTIBULE_THROTTLE__ATTEMPTS_BY_IP", "9999")]);
        let (sender, answered) = channel();
        let signed_up: Vec<(String, String)> = std::thread::scope(|scope| {
            for person in 0..4 {
                let (port, sender) = (service.port, sender.clone());
                scope.spawn(move || {
                    for n in 0.. {
                        let email = format!("p{round}-{person}-{n}@example.com");
                        // No response, or half of one, promises nothing.
                        let seen = ask(port, &form_post("/signup", &sign_up_form(&email)));
                        let Some(cookie) = seen.as_deref().and_then(session_cookie) else { return };
                        sender.send((email, cookie.to_owned())).unwrap();
                    }
                });
            }
            drop(sender);
            let mut signed_up: Vec<_> = answered.iter().take(answers).collect();
            service.signal("-KILL");
            signed_up.extend(answered.iter());
            signed_up
        });
        assert!(signed_up.len() >= answers);
        service.end();
        let service = Process::start(folder.path(), &[]);
        for (email, cookie) in signed_up {
            let session = answer(service.send(&format!(
                "GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: session_id={cookie}\r\n\r\n"
            )));
            assert!(session.contains(&email), "{email}: {session}");
        }
        service.signal("-TERM");
        assert!(service.end().0.success());
    }
}

/// A service with four sign-ups: at least one was handled, and others wait for their hash.
fn with_sign_ups_in_flight(folder: &tempfile::TempDir) -> (Process, Vec<TcpStream>) {
    let settings = [
        ("VESTIBULE_PASSWORD__COST", "11"),
        ("VESTIBULE_HASHING__WORKERS", "1"),
        ("VESTIBULE_HASHING__BATCH", "1"),
        ("VESTIBULE_HASHING__MAX_WAIT", "1min"),
    ];
    let mut service = Process::start(folder.path(), &settings);
    let waiting: Vec<TcpStream> = (0..4)
        .map(|n| service.post("/signup", &sign_up_form(&format!("p{n}@example.com"))))
        .collect();
    service.line("event=signed-up");
    (service, waiting)
}

/// Promise 53: requests in flight, including those that wait for a hash, are answered before the database closes.
#[test]
fn a_stop_answers_what_is_in_flight() {
    let folder = new_folder();
    let (service, waiting) = with_sign_ups_in_flight(&folder);
    service.signal("-TERM");
    let is_open = |stream: &&TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let is_open = stream.peek(&mut [0]).is_err();
        stream.set_nonblocking(false).unwrap();
        is_open
    };
    assert!(waiting.iter().any(|stream| is_open(&stream)), "some are still to be answered");
    for stream in waiting {
        let seen = answer(stream);
        assert!(seen.contains("303 See Other"), "{seen}");
    }
    let answered = Instant::now();
    let (status, log) = service.end();
    assert!(status.success(), "{log:#?}");
    assert!(answered.elapsed() < Duration::from_secs(10), "an idle service does not linger");
    let service = Process::start(folder.path(), &[]);
    for n in 0..4 {
        let form = format!("{}&remember=on", sign_up_form(&format!("p{n}@example.com")));
        assert!(answer(service.post("/login", &form)).contains("303 See Other"));
    }
}

/// Promise 53: what a client has asked for completes, even if the client disconnects before the response.
#[test]
fn a_client_that_disconnects_stops_nothing() {
    let folder = new_folder();
    let (mut service, waiting) = with_sign_ups_in_flight(&folder);
    drop(waiting);
    for _ in 0..3 {
        service.line("event=signed-up");
    }
}

/// An incomplete request delays shutdown no longer than the grace period, and new connections are refused at once.
#[test]
fn a_stop_closes_the_port_and_ends_silent_connections() {
    let folder = new_folder();
    let service = Process::start(folder.path(), &[("ROCKET_SHUTDOWN", "{grace=1,mercy=1}")]);
    let half = service.send("POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Le");
    assert!(service.get("/login").contains("200 OK"));
    let stopped = Instant::now();
    service.signal("-TERM");
    while TcpStream::connect(("127.0.0.1", service.port)).is_ok() {
        assert!(stopped.elapsed() < Duration::from_secs(5), "nobody new is let in");
    }
    let (status, log) = service.end();
    assert!(status.success(), "{log:#?}");
    assert!(stopped.elapsed() < Duration::from_secs(10), "{log:#?}");
    drop(half);
}

/// However early: a signal between the last step of a start and the first request was once lost.
#[test]
fn a_stop_is_heard_as_soon_as_the_port_is_open() {
    let folder = new_folder();
    for _ in 0..5 {
        let service = Process::start(folder.path(), &[]);
        service.signal("-TERM");
        assert!(service.ends_within(Duration::from_secs(20)));
    }
}
