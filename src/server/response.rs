//! From Rocket's response to hyper's, and the responses that Rocket has no part in.

use std::str::FromStr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use rocket::local::asynchronous::LocalResponse;
use rocket::tokio::io::AsyncReadExt;

pub(super) type Answer = hyper::Response<Full<Bytes>>;

/// Converts Rocket's response.
pub(super) async fn respond(mut response: LocalResponse<'_>) -> Answer {
    let mut answer = hyper::Response::new(Full::default());
    *answer.status_mut() = hyper::StatusCode::from_u16(response.status().code)
        .unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().reserve(response.headers().len() + 1);
    for header in response.headers().iter() {
        let name = HeaderName::from_str(header.name().as_str());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(header.value())) {
            answer.headers_mut().append(name, value);
        }
    }
    // The response to a HEAD has a length and no body.
    let length = response.body().preset_size();
    // Some extra capacity: `read_to_end` reads on until there is no more data.
    let mut body = Vec::with_capacity(length.unwrap_or_default() + 64);
    if response.read_to_end(&mut body).await.is_err() {
        body.clear();
    }
    if body.is_empty()
        && let Some(length) = length
    {
        answer.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    *answer.body_mut() = Full::new(body.into());
    answer
}

/// A response to a client whose request is not complete, valid HTTP.
pub(super) fn bare(status: hyper::StatusCode) -> Answer {
    let mut answer = hyper::Response::new(Full::default());
    *answer.status_mut() = status;
    for (name, value) in [
        (CONNECTION, "close"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// A response to a client with too many requests in flight.
pub(super) fn too_many() -> Answer {
    let mut answer = bare(hyper::StatusCode::TOO_MANY_REQUESTS);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}
