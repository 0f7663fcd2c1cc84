//! A mail server that behaves as told: a real SMTP conversation (RFC 5321) on a local socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The behaviour on one connection.
#[derive(Clone, Copy)]
pub enum Manner {
    /// Accepts the email.
    Takes,
    /// Answers this to the first command that begins with `at`; `""` is the greeting.
    Says { at: &'static str, answer: &'static str },
    /// Closes the connection in the middle of the email.
    DropsInData,
    /// Accepts the connection and says nothing, as long as the client waits.
    IsSilent,
    /// Receives the email and closes the connection before it answers.
    DropsAfterData,
    /// Receives the email and answers this.
    Answers(&'static str),
    /// Receives the email and accepts it after this time.
    TakesAfter(Duration),
    /// Accepts the email and never answers QUIT.
    SaysNoGoodbye,
    /// Says nothing from the moment that an email is for this domain; the command is then what arrives.
    IsSilentTo(&'static str),
    /// Sends an endless line; the number of bytes that were read is then what arrives.
    NeverEndsALine,
    /// Answers STARTTLS, and adds in clear what would pass for an answer over TLS.
    AddsToStartTls(&'static str),
}

/// A mail server and the emails it has received.
pub struct MailServer {
    pub port: u16,
    emails: Receiver<String>,
    /// The names by which clients greeted it.
    hellos: Receiver<String>,
    /// The senders of envelopes.
    senders: Receiver<String>,
    /// Signals a connection that is met with silence.
    silences: Receiver<()>,
}

/// How TLS is used.
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
    /// Treats connections one after another according to the list; later ones are accepted.
    pub fn start(manners: Vec<Manner>) -> Self {
        Self::start_with(Tls::No, manners)
    }

    pub fn start_with(tls: Tls, manners: Vec<Manner>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, emails) = channel();
        let (quiet, silences) = channel();
        let (greeted, hellos) = channel();
        let (named, senders) = channel();
        std::thread::spawn(move || {
            let (mut manners, mut kept) = (manners.into_iter(), Vec::new());
            for stream in listener.incoming() {
                let manner = manners.next().unwrap_or(Manner::Takes);
                if matches!(manner, Manner::IsSilent) {
                    kept.push(stream);
                    let _ = quiet.send(());
                    continue;
                }
                // It is no failure of the test if the client closes the connection.
                let silent = converse(stream.unwrap(), tls, manner, &sender, &greeted, &named);
                kept.extend(silent.ok().flatten().map(Ok));
            }
        });
        Self { port, emails, hellos, senders, silences }
    }

    /// The next email, as sent over the wire.
    pub fn email(&self) -> String {
        self.emails.recv_timeout(Duration::from_secs(20)).expect("an email arrives")
    }

    /// The next name by which a client greets it.
    pub fn hello(&self) -> String {
        self.hellos.recv_timeout(Duration::from_secs(20)).expect("a client greets")
    }

    /// The next sender in an envelope, with its parameters.
    pub fn sender(&self) -> String {
        self.senders.recv_timeout(Duration::from_secs(20)).expect("a client names a sender")
    }

    /// Returns when a client waits for an answer that never comes.
    pub fn has_connection(&self) {
        self.silences.recv_timeout(Duration::from_secs(20)).expect("a client connects");
    }

    /// Whether a client waits for an answer that never comes.
    pub fn has_silence(&self) -> bool {
        self.silences.try_recv().is_ok()
    }

    /// Whether another email has arrived.
    pub fn has_email(&self) -> bool {
        self.emails.try_recv().is_ok()
    }
}

/// One conversation; returns the connection if it should be kept silent.
fn converse(
    stream: TcpStream,
    tls: Tls,
    manner: Manner,
    emails: &Sender<String>,
    hellos: &Sender<String>,
    senders: &Sender<String>,
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
        if let Some(name) = command.strip_prefix("EHLO ") {
            let _ = hellos.send(name.to_owned());
        }
        if let Some(sender) = command.strip_prefix("MAIL FROM:") {
            let _ = senders.send(sender.to_owned());
        }
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
                let _ = emails.send(said.to_string());
                return Ok(None);
            }
            (c, Manner::IsSilentTo(domain)) if c.starts_with("RCPT") && c.contains(domain) => {
                let _ = emails.send(command);
                return Ok(Some(stream));
            }
            ("QUIT", Manner::SaysNoGoodbye) => return Ok(Some(stream)),
            ("", _) => "220 localhost ESMTP grüßt".into(),
            (c, _) if c.starts_with("EHLO") && tls == Tls::Later && !is_secure => {
                "250-localhost grüßt\r\n250 STARTTLS".into()
            }
            (c, _) if c.starts_with("EHLO") && tls != Tls::No => {
                "250-localhost grüßt\r\n250 AUTH PLAIN".into()
            }
            (c, _) if c.starts_with("EHLO") => "250 localhost grüßt".into(),
            ("STARTTLS", _) => {
                let more = if let Manner::AddsToStartTls(more) = manner { more } else { "" };
                wire.get_mut().write_all(format!("220 go ahead\r\n{more}").as_bytes())?;
                wire = BufReader::new(Box::new(secured(stream.try_clone()?)));
                is_secure = true;
                continue;
            }
            // "\0delivery\0a secret"
            (c, _) if c.starts_with("AUTH PLAIN AGRlbGl2ZXJ5AGEgc2VjcmV0") && is_secure => {
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
                let mut email = String::new();
                while !email.ends_with("\r\n.\r\n") {
                    if wire.read_line(&mut email)? == 0 {
                        return Ok(None);
                    }
                }
                if let Manner::TakesAfter(time) = manner {
                    std::thread::sleep(time);
                }
                let _ = emails.send(email);
                if matches!(manner, Manner::DropsAfterData) {
                    return stream.shutdown(std::net::Shutdown::Both).map(|()| None);
                }
                let answer =
                    if let Manner::Answers(answer) = manner { answer } else { "250 taken" };
                answer.into()
            }
            ("QUIT", _) => "221 bye".into(),
            _ => "250 ok".into(),
        };
        // In Latin-1, as some servers do, which is not UTF-8.
        let answer = format!("{answer}\r\n");
        let answer: Vec<u8> = answer.chars().map(|char| u8::try_from(char).unwrap()).collect();
        wire.get_mut().write_all(&answer)?;
        wire.get_mut().flush()?;
    }
}

/// The certificate is for `localhost`, issued by `tls/authority.pem`, for these tests only.
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
