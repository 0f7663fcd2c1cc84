//! Whether a client prefers a page or JSON.

use rocket::Request;
use rocket::http::{Accept, MediaType, QMediaType};
use rocket::request::{FromRequest, Outcome};

/// The maximum length of `Accept` in bytes, over all its lines. Rocket 0.5.2 copies the rest of the header for each
/// of its entries: 64 KB of `a/b,` take a gigabyte, and a few such requests end the process.
pub(crate) const MAX_ACCEPT: usize = 1024;

/// Whether `Accept` is too long to be parsed.
pub(in crate::web) fn is_too_long(request: &Request<'_>) -> bool {
    request.headers().get("Accept").map(str::len).sum::<usize>() > MAX_ACCEPT
}

/// The form that a client prefers, on paths that have a page and JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Wants {
    Page,
    Json,
}

impl Wants {
    /// Without `Accept`, a page. Programs send `*/*`, browsers `text/html`.
    pub(in crate::web) fn of(request: &Request<'_>) -> Self {
        if is_too_long(request) {
            return Self::Page;
        }
        let Some(accept) = request.accept() else { return Self::Page };
        let (html, json) = (weight(accept, &MediaType::HTML), weight(accept, &MediaType::JSON));
        let names_html = accept.iter().any(|media| media.is_html());
        if html > json || (html == json && names_html && html > 0) {
            Self::Page
        } else {
            Self::Json
        }
    }
}

/// The weight of a media type in thousandths: that of the most specific matching entry (RFC 9110, 12.5.1).
fn weight(accept: &Accept, wanted: &MediaType) -> u32 {
    let matches = |media: &&QMediaType| media.top() == "*" || media.media_type() == wanted;
    let best = accept.iter().filter(matches).max_by_key(|media| media.top() != "*");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1,000")]
    best.map_or(0, |media| (media.weight().unwrap_or(1.0).clamp(0.0, 1.0) * 1000.0) as u32)
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Wants {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self::of(request))
    }
}
