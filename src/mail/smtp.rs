//! The conversation with a mail server (RFC 5321). Each step has a time limit, and the amount of data from the
//! server is limited: before TLS, it may come from a man in the middle.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream as Socket};
use std::path::Path;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lettre::Message;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
#[expect(deprecated, reason = "the only way to TLS over a stream of one's own")]
use lettre::transport::smtp::client::AsyncNetworkStream;
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, Tls, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Starttls};
use lettre::transport::smtp::extension::{ClientId, MailBodyParameter, MailParameter};
use rocket::futures::io::{AsyncRead as _, AsyncWrite as _};
use rocket::tokio;
use rocket::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use rocket::tokio::net::{TcpStream, lookup_host};
use rocket::tokio::time::timeout;

use super::{Fate, MailError, Undelivered, failed};
use crate::Error;
use crate::config::{Config, SmtpUrl};
use crate::error::error_chain;

/// How long a server may examine a message before it accepts it, as RFC 5321 (4.5.3.2.6) requires. A shorter limit
/// would send a second copy of what the first server delivers.
const AFTER_DOT: Duration = Duration::from_mins(10);

/// How long a server may take to say goodbye. Nothing depends on it.
const GOODBYE: Duration = Duration::from_secs(1);

/// The maximum number of bytes from a server before TLS, and again over TLS, including certificates.
const MOST_SAID: usize = 128 * 1024;

/// A mail server and how to reach it.
pub(super) struct SmtpServer {
    host: String,
    port: u16,
    tls: Tls,
    credentials: Option<Credentials>,
    /// The name by which the service greets it.
    hello: ClientId,
    /// The time limit for a step.
    step: Duration,
}

impl SmtpServer {
    pub(super) fn new(url: &SmtpUrl, config: &Config) -> Result<Self, MailError> {
        let unusable = || MailError::SmtpUrl;
        let url = &url.0;
        let host = url.host_str().ok_or_else(unusable)?;
        // An IPv6 address has brackets only in a URL.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let ca_file = config.mail.ca_file.as_deref();
        let parameters = || tls_parameters(&host, ca_file);
        let (usual_port, tls) = match (url.scheme(), url.query()) {
            ("smtps", _) => (465, Tls::Wrapper(parameters()?)),
            (_, Some("tls=required")) => (587, Tls::Required(parameters()?)),
            (_, Some("tls=opportunistic")) => (587, Tls::Opportunistic(parameters()?)),
            _ => (25, Tls::None),
        };
        let decoded = |text| {
            let text = percent_encoding::percent_decode_str(text).decode_utf8();
            text.map(String::from).map_err(|_| unusable())
        };
        let credentials = match url.password() {
            Some(password) => Some(Credentials::new(decoded(url.username())?, decoded(password)?)),
            None => None,
        };
        let port = url.port().unwrap_or(usual_port);
        let hello = config.hello().map_or_else(ClientId::default, ClientId::Domain);
        Ok(Self { port, host, tls, credentials, hello, step: config.mail.timeout })
    }

    /// Sends a message, with its own sender and recipient as the envelope.
    pub(super) async fn send(
        &self,
        from: &Mailbox,
        to: &Mailbox,
        message: &Message,
    ) -> Result<(), Undelivered> {
        let mut server = self.greet().await?;
        let sent = self.hand_over(&mut server, from, to, &message.formatted()).await;
        // The message is delivered, or not, whatever happens here.
        tokio::spawn(timeout(GOODBYE, async move { server.abort().await }));
        sent
    }

    /// Opens a connection and authenticates.
    async fn greet(&self) -> Result<AsyncSmtpConnection, Error> {
        let socket = self.connect().await?;
        let mut server = match &self.tls {
            Tls::Wrapper(parameters) => self.hello(self.secure(&socket, parameters, b"").await?),
            _ => self.hello(Box::new(Bounded::new(&socket, true).map_err(failed)?)),
        }
        .await?;
        let starts_tls = match &self.tls {
            Tls::Required(parameters) => Some(parameters),
            Tls::Opportunistic(parameters) => Some(parameters).filter(|_| server.can_starttls()),
            Tls::None | Tls::Wrapper(_) => None,
        };
        if let Some(parameters) = starts_tls {
            self.step(server.command(Starttls)).await?;
            server = self.hello(self.secure(&socket, parameters, b"220 \r\n").await?).await?;
        }
        if let Some(credentials) = &self.credentials {
            self.step(server.auth(DEFAULT_MECHANISMS, credentials)).await?;
        }
        Ok(server)
    }

    async fn connect(&self) -> Result<Socket, Error> {
        let server = format!("{}:{}", self.host, self.port);
        // The system's errors do not say whom they are about.
        let unreachable = |error: io::Error| {
            failed(io::Error::new(error.kind(), format!("the mail server {server}: {error}")))
        };
        let slow = |slow| io::Error::new(io::ErrorKind::TimedOut, slow);
        let addresses = timeout(self.step, lookup_host((self.host.as_str(), self.port))).await;
        let addresses = addresses.map_err(slow).flatten().map_err(unreachable)?;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "it has no address");
        for address in addresses {
            let connected = timeout(self.step, TcpStream::connect(address)).await;
            match connected.map_err(slow).flatten() {
                Ok(stream) => return stream.into_std().map_err(failed),
                Err(error) => last = error,
            }
        }
        Err(unreachable(last))
    }

    /// Begins the conversation.
    async fn hello(&self, stream: Box<dyn AsyncTokioStream>) -> Result<AsyncSmtpConnection, Error> {
        self.step(AsyncSmtpConnection::connect_with_transport(stream, &self.hello)).await
    }

    /// Begins TLS. Not by lettre: it would then read answers that are not UTF-8, see [`without_8_bit`].
    #[expect(deprecated, reason = "there is no other way over a stream of one's own")]
    async fn secure(
        &self,
        socket: &Socket,
        parameters: &TlsParameters,
        greeting: &'static [u8],
    ) -> Result<Box<dyn AsyncTokioStream>, Error> {
        let stream = Bounded::new(socket, false).map_err(failed)?;
        let mut stream = AsyncNetworkStream::use_existing_tokio1(Box::new(stream));
        self.step(stream.upgrade_tls(parameters.clone())).await?;
        Ok(Box::new(Secured { stream, greeting }))
    }

    async fn hand_over(
        &self,
        server: &mut AsyncSmtpConnection,
        from: &Mailbox,
        to: &Mailbox,
        message: &[u8],
    ) -> Result<(), Undelivered> {
        let mut parameters = Vec::new();
        if !from.email.to_string().is_ascii() {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !message.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        // A refusal of the sender is about us, and the settings may be corrected.
        self.step(server.command(Mail::new(Some(from.email.clone()), parameters))).await?;
        let recipient = Rcpt::new(to.email.clone(), Vec::new());
        self.of_message(server.command(recipient)).await?;
        self.of_message(server.command(Data)).await?;
        match timeout(AFTER_DOT, server.message(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.status().is_some() => Err(judged(error)),
            Ok(Err(error)) => Err(Undelivered { fate: Fate::Unknown, error: failed(error) }),
            Err(slow) => Err(Undelivered { fate: Fate::Unknown, error: failed(slow) }),
        }
    }

    /// Runs a step that is about us.
    async fn step<T>(&self, step: impl Future<Output = Result<T, SmtpError>>) -> Result<T, Error> {
        timeout(self.step, step).await.map_err(failed)?.map_err(failed)
    }

    /// Runs a step that is about this message: a permanent refusal need not be retried for days.
    async fn of_message<T>(
        &self,
        step: impl Future<Output = Result<T, SmtpError>>,
    ) -> Result<T, Undelivered> {
        timeout(self.step, step).await.map_err(failed)?.map_err(judged)
    }
}

/// How the server is authenticated: by an authority of the system, or by those in the file alone.
fn tls_parameters(host: &str, ca_file: Option<&Path>) -> Result<TlsParameters, MailError> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(file) = ca_file {
        let pem = fs::read_to_string(file).map_err(MailError::CaFile)?;
        let unusable =
            |reason| MailError::CaFile(io::Error::new(io::ErrorKind::InvalidData, reason));
        let authorities = Certificate::from_pem(pem.as_bytes());
        // A file without a certificate is no error to lettre.
        let authorities = authorities.ok().filter(|_| pem.contains("-----BEGIN CERTIFICATE-----"));
        let authorities = authorities.ok_or_else(|| unusable("it has no certificate in PEM"))?;
        parameters =
            parameters.certificate_store(CertificateStore::None).add_root_certificate(authorities);
    }
    parameters.build().map_err(|error| MailError::Tls(error_chain(&error)))
}

/// Whether an answer about a message is final. A server that requires authentication, or is out of step, says
/// nothing about the message; and a refusal that is not about the address or its mailbox (RFC 3463, 3: relaying,
/// quotas, policy) may be temporary.
fn judged(error: SmtpError) -> Undelivered {
    let code = error.status().map(u16::from);
    let is_about_recipient = match enhanced_code(&error.to_string()) {
        // X.1.7 and X.1.8 are about the sender's address.
        Some((1, detail)) => !matches!(detail, 7 | 8),
        Some((subject, _)) => subject <= 2,
        None => matches!(code, Some(501 | 550 | 551 | 553)),
    };
    let is_last = error.is_permanent() && is_about_recipient;
    let fate = if is_last { Fate::Refused } else { Fate::NotTaken };
    Undelivered { fate, error: failed(error) }
}

/// Subject and detail of the enhanced status code (RFC 3463), anywhere in the answer: 1 and 2 of `5.1.2`.
fn enhanced_code(error: &str) -> Option<(u8, u16)> {
    let (_, text) = error.split_once("): ")?;
    text.split(|c: char| !c.is_ascii_digit() && c != '.').find_map(|word| {
        let mut parts = word.trim_end_matches('.').split('.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        let is_code = matches!(class, "4" | "5") && parts.next().is_none();
        is_code.then_some(())?;
        Some((subject.parse().ok()?, detail.parse().ok()?))
    })
}

/// Replaces bytes that are not ASCII. Servers do send some, in any encoding, and lettre cannot read an answer that is
/// not UTF-8: it would be unknown whether the message was accepted.
fn without_8_bit(answer: &mut [u8]) {
    for byte in answer.iter_mut().filter(|byte| !byte.is_ascii()) {
        *byte = b'?';
    }
}

/// A connection with a limit on received data. Before TLS it is read byte by byte, so that data injected behind the
/// answer to STARTTLS is not buffered and later taken for data received over TLS (CVE-2011-0411): instead, TLS
/// fails on it.
#[derive(Debug)]
struct Bounded {
    stream: TcpStream,
    /// How many bytes may still be received.
    left: usize,
    is_plain: bool,
}

impl Bounded {
    fn new(socket: &Socket, is_plain: bool) -> io::Result<Self> {
        let stream = TcpStream::from_std(socket.try_clone()?)?;
        Ok(Self { stream, left: MOST_SAID, is_plain })
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other("the mail server says too much")));
        }
        let most = if self.is_plain { 1 } else { self.left };
        let most = most.min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(pin!(&mut self.stream).poll_read(cx, &mut part))?;
        let is_plain = self.is_plain;
        let read = part.filled_mut();
        if is_plain {
            without_8_bit(read);
        }
        let read = read.len();
        buf.advance(read);
        self.left -= read;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        pin!(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Bounded {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

/// A connection over TLS.
#[derive(Debug)]
#[expect(deprecated, reason = "there is no other way over a stream of one's own")]
struct Secured {
    stream: AsyncNetworkStream,
    /// What is read first: after STARTTLS a server sends no greeting, for which lettre waits.
    greeting: &'static [u8],
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.greeting.is_empty() {
            let (first, rest) = self.greeting.split_at(self.greeting.len().min(buf.remaining()));
            buf.put_slice(first);
            self.greeting = rest;
            return Poll::Ready(Ok(()));
        }
        let part = buf.initialize_unfilled();
        let read = ready!(pin!(&mut self.stream).poll_read(cx, part))?;
        without_8_bit(&mut part[..read]);
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        pin!(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_close(cx)
    }
}

impl AsyncTokioStream for Secured {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}
