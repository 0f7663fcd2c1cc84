//! The binary as a process, with sockets and signals.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::limit::TimeLimit;
use super::postgres::new_postgres_database;
use super::{PASSWORD, SECRET_KEY};

/// If set: the program to test in place of the one built with the tests. CI tests the release build.
const PROGRAM: &str = "TESTED_VESTIBULE";

/// A folder to start the service in, with a database of the engine under test.
pub fn new_folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    if let Some(url) = new_postgres_database() {
        let text = format!(
            "[default]\nsecret_key = \"{SECRET_KEY}\"\n[default.databases.vestibule]\nurl = \"{url}\"\n"
        );
        std::fs::write(folder.path().join("Rocket.toml"), text).unwrap();
    }
    folder
}

/// A running service.
pub struct Process {
    child: Child,
    pub port: u16,
    log: Receiver<String>,
    pub seen: Vec<String>,
    _limit: TimeLimit,
}

pub fn command(folder: &Path, settings: &[(&str, &str)]) -> Command {
    let program = std::env::var_os(PROGRAM);
    command_of(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_vestibule").into()), folder, settings)
}

/// A command for another program of the service.
pub fn command_of(program: OsString, folder: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    for (name, _) in std::env::vars() {
        if name.starts_with("VESTIBULE_") || name.starts_with("ROCKET_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command.env("ROCKET_PORT", "0").env("VESTIBULE_PASSWORD__COST", "4");
    command.envs(settings.iter().copied());
    command
}

impl Process {
    pub fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        Self::run(command(folder, settings))
    }

    pub fn run(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut process =
            Self { child, port: 0, log, seen: Vec::new(), _limit: TimeLimit::begin() };
        let line = process.line("listening on");
        process.port = line
            .split("port ")
            .nth(1)
            .and_then(|rest| rest.split(';').next())
            .and_then(|port| port.parse().ok())
            .expect("the log names the port");
        process
    }

    /// The next line of the log that contains `text`.
    pub fn line(&mut self, text: &str) -> String {
        loop {
            let line = self.log.recv_timeout(Duration::from_secs(20));
            let line = line.unwrap_or_else(|_| panic!("no {text:?} in the log: {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    pub fn send(&self, request: &str) -> TcpStream {
        self.send_bytes(request.as_bytes())
    }

    pub fn send_bytes(&self, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(request).unwrap();
        stream
    }

    pub fn post(&self, path: &str, form: &str) -> TcpStream {
        self.send(&form_post(path, form))
    }

    pub fn get(&self, path: &str) -> String {
        answer(
            self.send(&format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )),
        )
    }

    pub fn sign_up(&self, email: &str) -> String {
        answer(self.post("/signup", &sign_up_form(email)))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether these bytes are anywhere in the memory of the service.
    #[cfg(target_os = "linux")]
    pub fn memory_holds(&self, bytes: &[u8]) -> bool {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.id())).unwrap();
        let memory = std::fs::File::open(format!("/proc/{}/mem", self.id())).unwrap();
        let ranges = maps.lines().filter_map(|line| {
            let (range, rest) = line.split_once(' ')?;
            let (start, end) = range.split_once('-')?;
            let parse = |n| u64::from_str_radix(n, 16).ok();
            rest.starts_with('r').then_some((parse(start)?, parse(end)?))
        });
        ranges.into_iter().any(|(start, end)| {
            let mut range = vec![0; usize::try_from(end - start).unwrap()];
            // Some ranges belong to the kernel, and one may just have been unmapped.
            std::os::unix::fs::FileExt::read_exact_at(&memory, &mut range, start).is_ok()
                && memchr::memmem::find(&range, bytes).is_some()
        })
    }

    /// How much memory the service has, in KiB.
    #[cfg(target_os = "linux")]
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Waits until it has exited.
    pub fn wait(&mut self) {
        assert!(self.child.wait().unwrap().success());
    }

    /// Whether it exits by itself within that time.
    pub fn ends_within(mut self, limit: Duration) -> bool {
        let begun_at = Instant::now();
        while begun_at.elapsed() < limit {
            if self.child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }

    pub fn end(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.wait().unwrap();
        while let Ok(line) = self.log.recv_timeout(Duration::from_secs(5)) {
            self.seen.push(line);
        }
        (status, std::mem::take(&mut self.seen))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn form_post(path: &str, form: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
}

/// The response to a request; `None` if the service has gone.
pub fn ask(port: u16, request: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

pub fn sign_up_form(email: &str) -> String {
    format!("email={email}&password={}", PASSWORD.replace(' ', "+"))
}

pub fn answer(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

/// The session cookie of a response.
pub fn session_cookie(answer: &str) -> Option<&str> {
    let (head, _) = answer.split_once("\r\n\r\n")?;
    let line = head.lines().find_map(|line| line.strip_prefix("set-cookie: session_id="))?;
    line.split(';').next()
}
