//! From hyper's request to Rocket's: the body, the path, and the headers that Rocket can parse cheaply.

use std::borrow::Cow;
use std::fmt::Write;

use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue,
};
use percent_encoding::percent_decode_str;
use rocket::http::uri::Origin;
use rocket::http::{Cookie, Header};
use rocket::local::asynchronous::LocalRequest;
use rocket::tokio::time::timeout;

use super::READ_WITHIN;
use super::connections::Body;
use crate::web;

/// The maximum length of `Content-Type`, in bytes.
const MAX_CONTENT_TYPE: usize = 1024;
/// The maximum number of cookies; browsers keep fewer per site.
const MAX_COOKIES: usize = 200;

/// Reads a body, up to one byte more than is allowed, so that the reader notices that it is too large.
pub(super) async fn read_body(
    head: &HeaderMap,
    mut body: Incoming,
    max: usize,
    reading: &Body,
) -> Result<Vec<u8>, hyper::StatusCode> {
    if body.is_end_stream() {
        return Ok(Vec::new());
    }
    let said = head.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if said.is_some_and(|said: usize| said > max) {
        return Ok(Vec::new());
    }
    // Copied: each piece would keep the whole buffer that it was read into, 8 KiB for one byte.
    let collect = async {
        let mut all = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame?.into_data() else { continue };
            all.extend_from_slice(&piece);
            if all.len() > max {
                all.resize(max + 1, 0);
                break;
            }
        }
        Ok::<_, hyper::Error>(all)
    };
    let collected = timeout(READ_WITHIN, collect).await;
    reading.ends();
    match collected {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(hyper::StatusCode::BAD_REQUEST),
        Err(_) => Err(hyper::StatusCode::REQUEST_TIMEOUT),
    }
}

/// The path and query in Rocket's syntax. Browsers do not escape some characters that it rejects.
pub(super) fn acceptable(uri: &str) -> Option<Origin<'_>> {
    if let Ok(uri) = Origin::parse(uri) {
        return Some(uri);
    }
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&b);
    let mut escaped = String::with_capacity(3 * uri.len());
    for b in uri.bytes() {
        if is_plain(b) {
            escaped.push(b.into());
        } else {
            let _ = write!(escaped, "%{b:02X}");
        }
    }
    Origin::parse_owned(escaped).ok()
}

/// Passes on the headers that Rocket can parse cheaply.
pub(super) fn with_headers<'c>(
    mut request: LocalRequest<'c>,
    head: &'c HeaderMap,
    hops: &HeaderName,
) -> LocalRequest<'c> {
    let known = request.inner_mut();
    for (name, value) in head {
        if [ACCEPT, CONTENT_TYPE, COOKIE].contains(name) {
            continue;
        }
        let value = if name == hops { last_hops(value.as_bytes()) } else { value.as_bytes() };
        // A value that is not UTF-8 is skipped, never replaced.
        if let Ok(value) = std::str::from_utf8(value) {
            known.add_header(Header::new(name.as_str(), value));
        }
    }
    if let Some(accept) = joined(head, &ACCEPT).filter(|accept| accept.len() <= web::MAX_ACCEPT) {
        known.add_header(Header::new("Accept", accept));
    }
    let kind = head.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if let Some(kind) = kind.filter(|kind| kind.len() <= MAX_CONTENT_TYPE) {
        known.add_header(Header::new("Content-Type", kind));
    }
    for (name, value) in cookie_pairs(head) {
        let value = percent_decode_str(value).decode_utf8();
        if let (false, Ok(value)) = (name.is_empty(), value) {
            request = request.cookie(Cookie::new(name, value));
        }
    }
    request
}

/// The part of a list of hops after its last non-ASCII byte: proxies have added it, and a client must not be able
/// to hide it by what it puts in front.
pub(super) fn last_hops(list: &[u8]) -> &[u8] {
    let Some(bad) = list.iter().rposition(|b| !b.is_ascii()) else { return list };
    let comma = list[bad..].iter().position(|b| *b == b',');
    comma.map_or(&[], |comma| &list[bad + comma + 1..])
}

/// All lines of a header joined into one (RFC 9110, 5.3); `None` if there is none, or if one is not UTF-8.
fn joined<'h>(head: &'h HeaderMap, name: &HeaderName) -> Option<Cow<'h, str>> {
    let mut lines = head.get_all(name).iter().map(|line| std::str::from_utf8(line.as_bytes()).ok());
    let first = Cow::from(lines.next()??);
    lines.try_fold(first, |all, line| Some(all + ", " + line?))
}

/// The cookies that are UTF-8: others belong to another site on this domain, and must not take ours with them.
/// Names are not unescaped: to the browser, `%5F%5FHost-a` has no prefix and may be set by any subdomain, so it
/// must not be read as `__Host-a`.
fn cookie_pairs(head: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = head.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let pairs = lines.flat_map(|line| line.split(|b| *b == b';')).take(MAX_COOKIES);
    pairs.filter_map(|pair| {
        let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
        Some((name.trim_matches([' ', '\t']), value.trim_matches([' ', '\t'])))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &[(HeaderName, &[u8])]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_bytes(value).unwrap()))
            .collect()
    }

    /// Promise 69.
    #[test]
    fn a_foreign_cookie_takes_no_other_with_it() {
        let mut map = head(&[(COOKIE, b"visitor=Ren\xe9; session_id=abc;x")]);
        map.append(COOKIE, HeaderValue::from_static("late=1"));
        let pairs: Vec<_> = cookie_pairs(&map).collect();
        assert_eq!(pairs, [("session_id", "abc"), ("late", "1")]);
        let many = "a=1;".repeat(crate::server::MAX_HEAD / 4);
        assert_eq!(cookie_pairs(&head(&[(COOKIE, many.as_bytes())])).count(), MAX_COOKIES);
    }

    /// Promise 30.
    #[test]
    fn what_proxies_say_is_heard_whatever_a_client_says_before() {
        for (list, read) in [
            (&b"203.0.113.7"[..], &b"203.0.113.7"[..]),
            (b"\xe9, 203.0.113.7", b" 203.0.113.7"),
            (
                b"6.6.6.6, \xff\xfe, 10.0.0.1,\xe9x, 203.0.113.7, 10.0.0.2",
                b" 203.0.113.7, 10.0.0.2",
            ),
            (b"203.0.113.7, \xe9", b""),
        ] {
            assert_eq!(last_hops(list), read);
        }
    }

    #[test]
    fn several_lines_are_one_header() {
        let mut map = head(&[(ACCEPT, b"text/html")]);
        map.append(ACCEPT, HeaderValue::from_static("*/*;q=0.1"));
        assert_eq!(joined(&map, &ACCEPT).as_deref(), Some("text/html, */*;q=0.1"));
        map.append(ACCEPT, HeaderValue::from_bytes(b"\xe9").unwrap());
        assert_eq!(joined(&map, &ACCEPT), None);
    }

    #[test]
    fn what_browsers_do_not_escape_is_no_fault_of_theirs() {
        assert_eq!(acceptable("/login?next=/a").unwrap().to_string(), "/login?next=/a");
        for uri in ["/a?b=c|d[e]^`{}\\", "/a\"<b>", "/%zz?%"] {
            let read = acceptable(uri).expect(uri).to_string();
            assert!(read.starts_with('/') && Origin::parse(&read).is_ok(), "{read}");
        }
        assert!(acceptable("*").is_none());
    }
}
