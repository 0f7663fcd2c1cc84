//! Reading a body: forms of both kinds, and JSON with the same fields.

use percent_encoding::percent_decode;
use rocket::Request;
use rocket::data::{Data, FromData, Outcome, ToByteUnit};
use rocket::form::{
    self, Contextual, DataField, Form, FromForm, FromFormField, Options, ValueField,
};
use rocket::http::Status;
use rocket::request::local_cache;
use rocket::serde::json::Value;
use zeroize::Zeroizing;

use super::{Fields, FormState};
use crate::auth::Refused;
use crate::web::errors::Refusal;
use crate::web::refusals::Reason;
use crate::words::fields::{NOT_TEXT, NOT_UTF8};

/// The maximum size of a body, in bytes.
const MOST: u64 = 32 * 1024;

/// The body of a page's form: `application/x-www-form-urlencoded` or `multipart/form-data`.
pub(in crate::web) struct Submitted<'r, T> {
    /// The fields, if all of them are valid.
    pub(in crate::web) form: Option<T>,
    /// The state to show the form again.
    pub(in crate::web) state: FormState,
    /// Everything that was sent.
    fields: &'r [Field],
}

impl<'r, T> Submitted<'r, T> {
    /// A valid field of a form that has another one that is not, so that all mistakes can be shown at once.
    pub(in crate::web) fn field<F: FromFormField<'r>>(&self, name: &str) -> Option<F> {
        let (name, value) = self.fields.iter().find(|(field, _)| field == name)?;
        F::from_value(ValueField::from((name.as_str(), value.as_ref().ok()?.as_str()))).ok()
    }

    /// Whether the form has this field, with whatever value.
    pub(in crate::web) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }
}

#[rocket::async_trait]
impl<'r, T: Fields> FromData<'r> for Submitted<'r, T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        read(request, data, false).await
    }
}

/// The body of a program's request: a form, or JSON with the same fields.
pub(in crate::web) struct Input<'r, T>(pub(in crate::web) Submitted<'r, T>);

impl<T> Input<'_, T> {
    /// The fields, or what is wrong with them.
    pub(in crate::web) fn fields(self) -> Result<T, Refusal> {
        self.fields_or(Status::BadRequest)
    }

    /// The same, with another status if a field is missing or empty.
    pub(in crate::web) fn fields_or(self, incomplete: Status) -> Result<T, Refusal> {
        let Submitted { form, state, .. } = self.0;
        let status = if state.is_incomplete() { incomplete } else { Status::BadRequest };
        form.ok_or_else(|| Refusal::fields(state.into_errors()).with_status(status))
    }
}

impl<T> Submitted<'_, T> {
    /// The refusal of a form with mistakes, for programs; `also` is what else is wrong.
    pub(in crate::web) fn refusal<R: Into<Reason>>(
        self,
        also: Result<(), Refused<R>>,
    ) -> Result<Refusal, Refused<R>> {
        let mut state = self.state;
        match also {
            Ok(()) => {}
            Err(Refused::Because(reason)) => drop(state.refuse_because(reason.into())),
            Err(refused) => return Err(refused),
        }
        Ok(Refusal::fields(state.into_errors()))
    }
}

#[rocket::async_trait]
impl<'r, T: Fields> FromData<'r> for Input<'r, T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        read(request, data, true).await.map(Self)
    }
}

async fn read<'r, T: Fields>(
    request: &'r Request<'_>,
    mut data: Data<'r>,
    json_too: bool,
) -> Outcome<'r, Submitted<'r, T>, ()> {
    let refuse = |status| Outcome::Error((status, ()));
    let said: Option<u64> =
        request.headers().get_one("Content-Length").and_then(|length| length.parse().ok());
    if said.is_some_and(|length| length > MOST) {
        return refuse(Status::PayloadTooLarge);
    }
    let fields = match request.content_type() {
        Some(kind) if kind.is_form() => match data.open(MOST.bytes()).into_bytes().await {
            Ok(body) if body.is_complete() => form_fields(&Zeroizing::new(body.into_inner())),
            Ok(_) => return refuse(Status::PayloadTooLarge),
            Err(_) => return refuse(Status::BadRequest),
        },
        Some(kind) if kind.is_form_data() => {
            match Form::<Collected>::from_data(request, data).await {
                Outcome::Success(form) => form.into_inner().0,
                // Rocket also reports this for a multipart body that breaks off.
                Outcome::Error((Status::PayloadTooLarge, _)) if said.is_some() => {
                    return refuse(Status::BadRequest);
                }
                Outcome::Error((status, _)) | Outcome::Forward((_, status)) => {
                    return refuse(status);
                }
            }
        }
        Some(kind) if json_too && kind.is_json() => {
            let body = match data.open(MOST.bytes()).into_bytes().await {
                Ok(body) if body.is_complete() => Zeroizing::new(body.into_inner()),
                Ok(_) => return refuse(Status::PayloadTooLarge),
                Err(_) => return refuse(Status::BadRequest),
            };
            let Some(fields) = json_fields(&body) else { return refuse(Status::BadRequest) };
            fields
        }
        // Neither fields nor a content type.
        None if data.peek(1).await.is_empty() => Vec::new(),
        _ => return refuse(Status::UnsupportedMediaType),
    };
    let fields = local_cache!(request, fields);
    let contextual: Contextual<'r, T> = parse(fields);
    let mut state = FormState::new::<T>(&contextual.context);
    let mut form = contextual.value;
    for (name, value) in fields {
        if let (Err(reason), Some(name)) = (value, T::NAMES.iter().find(|known| *known == name)) {
            state.refuse_unread(name, reason);
            form = None;
        }
    }
    Outcome::Success(Submitted { form, state, fields })
}

/// A raw field, wiped when dropped: its value, or why it is invalid. Text that is not UTF-8 is never replaced: two
/// different passwords would become one.
type Field = (String, Result<Zeroizing<String>, &'static str>);

/// Raw fields.
struct Collected(Vec<Field>);

#[rocket::async_trait]
impl<'r> FromForm<'r> for Collected {
    type Context = (Vec<Field>, form::Errors<'r>);

    fn init(_: Options) -> Self::Context {
        (Vec::new(), form::Errors::new())
    }

    fn push_value((fields, _): &mut Self::Context, field: ValueField<'r>) {
        let name = field.name.source().as_str().to_owned();
        fields.push((name, Ok(Zeroizing::new(field.value.to_owned()))));
    }

    /// No form has a file. Text that is not UTF-8 also arrives here.
    async fn push_data((fields, _): &mut Self::Context, field: DataField<'r, '_>) {
        if field.file_name.is_none() {
            fields.push((field.name.source().as_str().to_owned(), Err(NOT_UTF8)));
        }
    }

    fn push_error((_, errors): &mut Self::Context, error: form::Error<'r>) {
        errors.push(error);
    }

    fn finalize((fields, errors): Self::Context) -> form::Result<'r, Self> {
        if errors.is_empty() { Ok(Self(fields)) } else { Err(errors) }
    }
}

/// Whether a field's name is as simple as ours are. Rocket splits names into keys, and never finishes for some
/// (`a.b=`, which a form can encode as `a.b%3D`): one request would block a thread forever.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Parses the fields with plain names.
fn parse<'f, T: FromForm<'f>>(fields: &'f [Field]) -> Contextual<'f, T> {
    let mut context = Contextual::<T>::init(Options::Lenient);
    for (name, value) in fields.iter().filter(|(name, _)| is_plain(name)) {
        if let Ok(value) = value {
            let field = ValueField::from((name.as_str(), value.as_str()));
            Contextual::<T>::push_value(&mut context, field);
        }
    }
    Contextual::<T>::finalize(context).expect("a contextual form keeps its errors to itself")
}

/// The fields of an `application/x-www-form-urlencoded` body (WHATWG URL, 5.1) that are UTF-8.
fn form_fields(body: &[u8]) -> Vec<Field> {
    let decode = |bytes: &[u8]| -> Option<Zeroizing<String>> {
        let mut decoded = Zeroizing::new(Vec::with_capacity(bytes.len()));
        let spaced = bytes.split_inclusive(|b| *b == b'+').flat_map(|part| {
            let (text, plus) = match part.split_last() {
                Some((b'+', text)) => (text, Some(b' ')),
                _ => (part, None),
            };
            percent_decode(text).chain(plus)
        });
        decoded.extend(spaced);
        std::str::from_utf8(&decoded).ok().map(|text| Zeroizing::new(text.to_owned()))
    };
    let pairs = body.split(|b| *b == b'&').filter(|pair| !pair.is_empty());
    pairs
        .filter_map(|pair| {
            let end = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            let name = decode(&pair[..end])?.to_string();
            let value = decode(pair.get(end + 1..).unwrap_or_default());
            Some((name, value.ok_or(NOT_UTF8)))
        })
        .collect()
}

/// The members of a JSON object as form fields; `None` if it is not an object. Numbers are not accepted as text:
/// they would be parsed as floats and change.
fn json_fields(body: &[u8]) -> Option<Vec<Field>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).ok()?;
    let Value::Object(members) = rocket::serde::json::from_str(text).ok()? else { return None };
    let field = |(name, value): (String, Value)| {
        let value = match value {
            Value::String(text) => Ok(text),
            // The only checkbox.
            Value::Bool(truth) if name == "remember" => Ok(truth.to_string()),
            Value::Null => Ok(String::new()),
            _ => Err(NOT_TEXT),
        };
        (name, value.map(Zeroizing::new))
    };
    Some(members.into_iter().map(field).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Promise 69.
    #[test]
    fn what_is_not_utf8_is_no_text() {
        for body in [&b"a=%E9"[..], b"a=\xe9", b"a=%c3%28", b"a=\xed\xa0\x80"] {
            assert_eq!(form_fields(body), [("a".to_owned(), Err(NOT_UTF8))]);
        }
        assert_eq!(
            form_fields(b"%E9=1&b=%C3%A9+%"),
            [("b".to_owned(), Ok("\u{e9} %".to_owned().into()))]
        );
        assert!(json_fields(b"{\"a\":\"\xe9\"}").is_none());
        let numbers =
            json_fields(b"\xef\xbb\xbf{\"a\":1.50,\"b\":{},\"remember\":true,\"z\":true}").unwrap();
        let is_text: Vec<_> = numbers.iter().map(|(_, value)| value.is_ok()).collect();
        assert_eq!(is_text, [false, false, true, false]);
    }

    proptest! {
        #[test]
        fn any_json_is_survived(text in "\\PC{0,60}|\\{(\"[a-z]{0,5}\":(1|true|null|\"\\PC{0,9}\"|\\[\\]),?){0,4}\\}") {
            // Refused or parsed, but no panic.
            let _ = json_fields(text.as_bytes());
        }

        #[test]
        fn any_form_is_survived(body in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = form_fields(&body);
        }

        /// As a browser sends it (WHATWG URL).
        #[test]
        fn what_a_form_says_is_what_is_read(
            fields in prop::collection::vec(("[a-z_]{1,9}", "(?s).{0,20}"), 0..5)
        ) {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
            let read: Vec<_> = form_fields(body.as_bytes())
                .into_iter()
                .map(|(name, value)| (name, value.unwrap().to_string()))
                .collect();
            prop_assert_eq!(read, fields);
        }

        #[test]
        fn what_json_says_is_what_is_read(
            fields in prop::collection::btree_map("[a-z_]{1,9}", "(?s).{0,20}", 0..5)
        ) {
            let text = rocket::serde::json::to_string(&fields).unwrap();
            let read = json_fields(text.as_bytes()).unwrap().into_iter();
            let read: Vec<_> = read.map(|(name, value)| (name, value.unwrap().to_string())).collect();
            prop_assert_eq!(read, fields.into_iter().collect::<Vec<_>>());
        }
    }
}
