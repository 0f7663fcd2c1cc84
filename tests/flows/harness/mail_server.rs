//! A mail server that takes letters, or does not, as it is told: a real SMTP conversation (RFC 5321)
//! on a socket of this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How the server treats one connection.
#[derive(Clone, Copy)]
pub enum Manner {
    /// Takes the letter.
    Takes,
    /// Answers this to the first command that begins with `at`; `""` is the greeting.
    Says { at: &'static str, answer: &'static str },
    /// Hangs up in the middle of the letter.
    DropsInData,
    /// Takes the connection and says nothing, for as long as the client waits.
    IsSilent,
    /// Takes the letter and hangs up before it says so.
    DropsAfterData,
    /// Looks at the letter for so long before it takes it.
    TakesAfter(Duration),
    /// Takes the letter and never answers QUIT.
    SaysNoGoodbye,
    /// Says nothing from the moment that a letter is for this domain; the command is then what arrives.
    IsSilentTo(&'static str),
    /// Says something without end, and no line of it ends; how much of it was heard is then what arrives.
    NeverEndsALine,
    /// Answers STARTTLS, and adds in clear what is to pass for an answer in safety.
    AddsToStartTls(&'static str),
}

/// Where letters arrive.
pub struct MailServer {
    pub port: u16,
    letters: Receiver<String>,
    /// Says when a connection is met with silence.
    silences: Receiver<()>,
}

/// How the connection is made safe.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    No,
    /// From the first byte.
    Implicit,
    /// After `STARTTLS`, and only then with a password.
    Later,
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

impl MailServer {
    /// Treats one connection after another as the list says, and takes letters from then on.
    pub fn start(manners: Vec<Manner>) -> Self {
        Self::start_with(Tls::No, manners)
    }

    pub fn start_with(tls: Tls, manners: Vec<Manner>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, letters) = channel();
        let (quiet, silences) = channel();
        std::thread::spawn(move || {
            let (mut manners, mut kept) = (manners.into_iter(), Vec::new());
            for stream in listener.incoming() {
                let manner = manners.next().unwrap_or(Manner::Takes);
                if matches!(manner, Manner::IsSilent) {
                    kept.push(stream);
                    let _ = quiet.send(());
                    continue;
                }
                // A client that hangs up is no fault of this test.
                let silent = converse(stream.unwrap(), tls, manner, &sender);
                kept.extend(silent.ok().flatten().map(Ok));
            }
        });
        Self { port, letters, silences }
    }

    /// The next letter, as it came over the wire.
    pub fn letter(&self) -> String {
        self.letters.recv_timeout(Duration::from_secs(20)).expect("a letter arrives")
    }

    /// Returns when a client waits for an answer that it will not get.
    pub fn has_connection(&self) {
        self.silences.recv_timeout(Duration::from_secs(20)).expect("a client connects");
    }

    /// Whether a client waits for an answer that it will not get.
    pub fn has_silence(&self) -> bool {
        self.silences.try_recv().is_ok()
    }

    /// Whether another letter has arrived.
    pub fn has_letter(&self) -> bool {
        self.letters.try_recv().is_ok()
    }
}

/// One conversation; the connection if it is kept and nothing more is said.
fn converse(
    stream: TcpStream,
    tls: Tls,
    manner: Manner,
    letters: &Sender<String>,
) -> std::io::Result<Option<TcpStream>> {
    let mut wire: BufReader<Box<dyn Wire>> = BufReader::new(if tls == Tls::Implicit {
        Box::new(secured(stream.try_clone()?))
    } else {
        Box::new(stream.try_clone()?)
    });
    let mut is_secure = tls == Tls::Implicit;
    let mut is_trusted = tls == Tls::No;
    let mut greeting = true;
    loop {
        let mut line = String::new();
        if greeting {
            greeting = false;
        } else if wire.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let command = line.trim_end().to_owned();
        let answer = match (&*command, manner) {
            (_, Manner::Says { at, answer })
                if command.starts_with(at) && (!at.is_empty() || command.is_empty()) =>
            {
                answer.to_owned()
            }
            ("", Manner::NeverEndsALine) => {
                let most = 64 << 20;
                let mut said = 0;
                while said < most && wire.get_mut().write_all(&[b'x'; 1 << 12]).is_ok() {
                    said += 1 << 12;
                }
                let _ = letters.send(said.to_string());
                return Ok(None);
            }
            (c, Manner::IsSilentTo(domain)) if c.starts_with("RCPT") && c.contains(domain) => {
                let _ = letters.send(command);
                return Ok(Some(stream));
            }
            ("QUIT", Manner::SaysNoGoodbye) => return Ok(Some(stream)),
            ("", _) => "220 localhost ESMTP".into(),
            (c, _) if c.starts_with("EHLO") && tls == Tls::Later && !is_secure => {
                "250-localhost\r\n250 STARTTLS".into()
            }
            (c, _) if c.starts_with("EHLO") && tls != Tls::No => {
                "250-localhost\r\n250 AUTH PLAIN".into()
            }
            (c, _) if c.starts_with("EHLO") => "250 localhost".into(),
            ("STARTTLS", _) => {
                let more = if let Manner::AddsToStartTls(more) = manner { more } else { "" };
                wire.get_mut().write_all(format!("220 go ahead\r\n{more}").as_bytes())?;
                wire = BufReader::new(Box::new(secured(stream.try_clone()?)));
                is_secure = true;
                continue;
            }
            // "\0postman\0a secret"
            (c, _) if c.starts_with("AUTH PLAIN AHBvc3RtYW4AYSBzZWNyZXQ=") && is_secure => {
                is_trusted = true;
                "235 welcome".into()
            }
            (c, _) if c.starts_with("AUTH") => "535 who are you".into(),
            (c, _) if c.starts_with("MAIL") && !is_trusted => "530 who are you".into(),
            ("DATA", _) => {
                wire.get_mut().write_all(b"354 go on\r\n")?;
                if matches!(manner, Manner::DropsInData) {
                    wire.read_line(&mut String::new())?;
                    return stream.shutdown(std::net::Shutdown::Both).map(|()| None);
                }
                let mut letter = String::new();
                while !letter.ends_with("\r\n.\r\n") {
                    if wire.read_line(&mut letter)? == 0 {
                        return Ok(None);
                    }
                }
                if let Manner::TakesAfter(time) = manner {
                    std::thread::sleep(time);
                }
                let _ = letters.send(letter);
                if matches!(manner, Manner::DropsAfterData) {
                    return stream.shutdown(std::net::Shutdown::Both).map(|()| None);
                }
                "250 taken".into()
            }
            ("QUIT", _) => "221 bye".into(),
            _ => "250 ok".into(),
        };
        wire.get_mut().write_all(format!("{answer}\r\n").as_bytes())?;
        wire.get_mut().flush()?;
    }
}

/// The certificate is for `localhost`, by the authority in `tls/authority.pem`, for these tests alone.
fn secured(stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flows/tls/");
    let chain = CertificateDer::from_pem_file(format!("{folder}localhost.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{folder}localhost.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)
}
