//! A way to a server that can be shut, and opened again.

use std::io::copy;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub struct Gate {
    pub address: SocketAddr,
    is_open: Arc<AtomicBool>,
    links: Arc<Mutex<Vec<TcpStream>>>,
}

impl Gate {
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Self {
            address: listener.local_addr().unwrap(),
            is_open: Arc::new(AtomicBool::new(true)),
            links: Arc::default(),
        };
        let (is_open, links) = (gate.is_open.clone(), gate.links.clone());
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // Under the lock, so that nobody slips through a gate that is being shut.
                let mut links = links.lock().unwrap();
                if is_open.load(Ordering::SeqCst) {
                    let far = TcpStream::connect(server).unwrap();
                    for (from, to) in [(&near, &far), (&far, &near)] {
                        let (mut from, mut to) =
                            (from.try_clone().unwrap(), to.try_clone().unwrap());
                        std::thread::spawn(move || {
                            let _ = copy(&mut from, &mut to);
                            let _ = to.shutdown(Shutdown::Both);
                        });
                    }
                    links.extend([near, far]);
                }
            }
        });
        gate
    }

    /// Cuts every connection and lets nobody through.
    pub fn shut(&self) {
        self.is_open.store(false, Ordering::SeqCst);
        for link in self.links.lock().unwrap().drain(..) {
            let _ = link.shutdown(Shutdown::Both);
        }
    }

    pub fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }
}
