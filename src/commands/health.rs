use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use crate::words;

/// How long the service may take for each step. It checks its database for two seconds at most.
const WITHIN: Duration = Duration::from_secs(4);

/// Asks the service of these settings whether it is ready.
pub fn run() -> ExitCode {
    let figment = vestibule::service_figment();
    if let Err(reason) = vestibule::check_rocket(&figment) {
        return tell(false, &reason.to_string());
    }
    let config = rocket::Config::from(&figment);
    // A service that listens on all addresses is asked on its own machine.
    let ip = match config.address {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(ip, config.port);
    match status(address) {
        Ok(200) => tell(true, words::READY),
        Ok(status) => tell(false, &words::not_ready(status)),
        Err(error) => tell(false, &words::not_reached(address, &error)),
    }
}

fn tell(is_ready: bool, what: &str) -> ExitCode {
    // Nobody may be reading any more.
    let _ = writeln!(io::stdout(), "{what}");
    if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The status of `/health/ready`.
fn status(address: SocketAddr) -> io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, WITHIN)?;
    stream.set_read_timeout(Some(WITHIN))?;
    stream.set_write_timeout(Some(WITHIN))?;
    let head =
        format!("GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut line = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut line)?;
    let status = std::str::from_utf8(&line).ok().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    status
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, words::NO_HTTP))
}
