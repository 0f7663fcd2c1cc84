//! A TCP proxy in front of a server that can be closed, silenced and opened again.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub struct Gate {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_shut: AtomicBool,
    links: Mutex<Vec<Link>>,
    /// The message with this text is dropped, and all later data of its connection.
    swallowed: Mutex<Option<&'static str>>,
}

/// A connection through the gate.
struct Link {
    near: TcpStream,
    far: TcpStream,
    is_silent: Arc<AtomicBool>,
}

impl Gate {
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Self { address: listener.local_addr().unwrap(), shared: Arc::default() };
        let shared = gate.shared.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // Under the lock, so that no connection is missed while the gate closes.
                let mut links = shared.links.lock().unwrap();
                if !shared.is_shut.load(Ordering::SeqCst) {
                    let far = TcpStream::connect(server).unwrap();
                    let link = Link { near, far, is_silent: Arc::default() };
                    link.carry(&link.near, &link.far, &shared);
                    link.carry(&link.far, &link.near, &shared);
                    links.push(link);
                }
            }
        });
        gate
    }

    /// Closes all connections and refuses new ones.
    pub fn shut(&self) {
        self.shared.is_shut.store(true, Ordering::SeqCst);
        for link in self.shared.links.lock().unwrap().drain(..) {
            let _ = link.near.shutdown(Shutdown::Both);
            let _ = link.far.shutdown(Shutdown::Both);
        }
    }

    /// Silently drops all further data of existing connections, as when an address has moved to another machine:
    /// neither side notices. New connections work.
    pub fn silence(&self) {
        for link in self.shared.links.lock().unwrap().iter() {
            link.is_silent.store(true, Ordering::SeqCst);
        }
    }

    /// Drops the next message to the server with this text, and all later data of its connection.
    pub fn swallow(&self, text: &'static str) {
        *self.shared.swallowed.lock().unwrap() = Some(text);
    }

    /// Returns when a message was dropped.
    pub fn has_swallowed(&self) {
        while !self.shared.links.lock().unwrap().iter().any(Link::is_silent) {
            std::thread::yield_now();
        }
    }

    pub fn open(&self) {
        self.shared.is_shut.store(false, Ordering::SeqCst);
        *self.shared.swallowed.lock().unwrap() = None;
    }
}

impl Link {
    fn is_silent(&self) -> bool {
        self.is_silent.load(Ordering::SeqCst)
    }

    /// Copies data from one side to the other, in a thread.
    fn carry(&self, from: &TcpStream, to: &TcpStream, shared: &Arc<Shared>) {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let (is_silent, shared) = (self.is_silent.clone(), shared.clone());
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                if let Some(text) = *shared.swallowed.lock().unwrap()
                    && buffer[..n].windows(text.len()).any(|part| part == text.as_bytes())
                {
                    is_silent.store(true, Ordering::SeqCst);
                }
                if !is_silent.load(Ordering::SeqCst) && to.write_all(&buffer[..n]).is_err() {
                    break;
                }
            }
            // Of a silent connection, the other side does not even hear that it was closed.
            if !is_silent.load(Ordering::SeqCst) {
                let _ = to.shutdown(Shutdown::Both);
            }
        });
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.shut();
    }
}
