//! Email addresses.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use idna::AsciiDenyList;
use percent_encoding::percent_decode_str;
use serde::{Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

use super::is_unseen;

/// An email address that a message can be sent to. Two addresses are equal, and belong to the same
/// account, if their [`key`](Email::key)s are equal.
#[derive(Clone, Debug)]
pub struct Email {
    typed: String,
    key: String,
}

/// Second-level labels below which country registries register domains.
const SECOND_LEVEL: [&str; 18] = [
    "ac", "co", "com", "edu", "gen", "go", "gob", "gov", "id", "ltd", "me", "mil", "ne", "net",
    "nom", "or", "org", "plc",
];

impl Email {
    /// The address as it was typed, without surrounding characters. A domain that could pass for another one is in
    /// A-labels.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// In lower case, with the domain as A-labels (RFC 5890). Unique per account.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The domain, in lower case and as A-labels (RFC 5890).
    pub fn domain(&self) -> &str {
        self.key.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// The mailbox that several addresses share: `ada@example.com` for `ada+shop@example.com` (RFC 5233), with
    /// dots, dashes and underscores removed for providers that ignore them. `None` if the address has nothing to
    /// remove.
    pub(in crate::auth) fn shared_mailbox(&self) -> Option<String> {
        let (local, domain) = self.key.rsplit_once('@')?;
        let (ignored, domain): (&[char], _) = match domain {
            "gmail.com" | "googlemail.com" => (&['.'], "gmail.com"),
            "proton.me" | "protonmail.com" | "pm.me" => (&['.', '-', '_'], "proton.me"),
            "yandex.com" | "yandex.ru" | "ya.ru" => (&['.', '-'], "yandex.ru"),
            _ => (&[], domain),
        };
        let mailbox = local.split('+').next().filter(|mailbox| !mailbox.is_empty());
        if ignored.is_empty() && !local.contains('+') {
            return None;
        }
        Some(format!("{}@{domain}", mailbox.unwrap_or(local).replace(ignored, "")))
    }

    /// A guess at the registered part of the domain: `example.com` for `mail.example.com`, `example.co.uk` for
    /// `mail.example.co.uk`.
    pub(in crate::auth) fn registered_domain(&self) -> &str {
        let domain = self.domain();
        let mut labels = domain.rsplit('.');
        let (top, second) = (labels.next().unwrap_or(""), labels.next().unwrap_or(""));
        // `co.uk` and `com.br` are public suffixes; in `ab.de` only `de` is one.
        let is_ending = top.len() == 2 && SECOND_LEVEL.contains(&second);
        let third = labels.next().filter(|_| is_ending).map_or(0, |third| third.len() + 1);
        let length = top.len() + 1 + second.len() + third;
        &domain[domain.len().saturating_sub(length)..]
    }

    /// The address to send mail to: the local part as typed (it may be case-sensitive: RFC 5321, 2.4), the domain
    /// as A-labels.
    pub fn deliverable(&self) -> String {
        let local = self.typed.rsplit_once('@').map_or("", |(local, _)| local);
        format!("{local}@{}", self.domain())
    }

    /// Both forms, as stored in the database.
    pub(in crate::auth) fn from_row(typed: String, key: String) -> Self {
        Self { typed: unmistakable(typed, &key), key }
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Email {}

impl Hash for Email {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

/// As [`as_str`](Email::as_str).
impl Serialize for Email {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.typed)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// Why a text is not accepted as an email address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmailError {
    /// The text is empty.
    Missing,
    /// More than 254 characters (RFC 5321, 4.5.3.1.3).
    TooLong,
    /// No `@`, or more than one.
    Malformed,
    /// A space or an invisible character.
    Space,
    /// A dot at either end of the local part, or two in a row.
    Dots,
    /// A hyphen at the beginning: mail delivery programs may read it as an option.
    Hyphen,
    /// Non-ASCII letters in the local part: few servers accept them, and there are many look-alikes.
    NonAscii,
    /// Another character in the local part that mail servers refuse, or too many characters.
    LocalPart,
    /// A letter in the domain that looks like another one.
    LookAlike,
    /// The domain cannot receive mail.
    Domain,
}

impl fmt::Display for EmailError {
    /// For developers; users read the text in `words`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no email address",
            Self::TooLong => "an email address is too long",
            Self::Malformed => "an email address has not exactly one @",
            Self::Space => "an email address has a space or an invisible character",
            Self::Dots => "an email address has a dot in the wrong place",
            Self::Hyphen => "an email address begins with a hyphen",
            Self::NonAscii => "the local part of an email address is not ASCII",
            Self::LocalPart => "the local part of an email address is not valid",
            Self::LookAlike => "the domain of an email address has a look-alike letter",
            Self::Domain => "the domain of an email address is not valid",
        })
    }
}

impl std::error::Error for EmailError {}

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        // Far longer than any address with a name around it.
        if text.len() > 2_000 {
            return Err(EmailError::TooLong);
        }
        let typed = &*bare_address(text);
        if typed.is_empty() {
            return Err(EmailError::Missing);
        }
        if typed.chars().any(is_unseen) {
            return Err(EmailError::Space);
        }
        // Japanese keyboards produce a full-width @.
        let at = if typed.contains('@') { '@' } else { '\u{ff20}' };
        let (local, domain) = typed.rsplit_once(at).ok_or(EmailError::Malformed)?;
        check_local_part(local)?;
        if domain.chars().any(becomes_ascii) {
            return Err(EmailError::LookAlike);
        }
        let typed = format!("{local}@{}", domain.nfc());
        if typed.len() > 254 {
            return Err(EmailError::TooLong);
        }
        let domain = ascii_domain(&typed[local.len() + 1..])?;
        let key = format!("{}@{domain}", local.to_ascii_lowercase());
        if key.len() > 254 {
            return Err(EmailError::TooLong);
        }
        Ok(Self { typed: unmistakable(typed, &key), key })
    }
}

/// Extracts the address from pasted text: removes invisible characters around it, the name in `Ada <ada@example.com>`,
/// and what a copied `mailto:` link has beside the address (RFC 6068).
fn bare_address(text: &str) -> Cow<'_, str> {
    let text = text.trim_matches(is_unseen);
    let in_brackets = text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<'));
    let text = in_brackets.map_or(text, |(_, address)| address).trim_matches(is_unseen);
    match text.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => {
            let address = text[7..].split('?').next().unwrap_or_default();
            let decoded = percent_decode_str(address).decode_utf8();
            let decoded = decoded.unwrap_or(Cow::Borrowed(address));
            Cow::Owned(decoded.trim_matches(is_unseen).to_owned())
        }
        _ => Cow::Borrowed(text),
    }
}

/// A dot-atom of RFC 5322 (3.2.3) of at most 64 bytes. Quoted strings are valid too, but not used in practice, and
/// non-ASCII local parts allow look-alikes.
fn check_local_part(local: &str) -> Result<(), EmailError> {
    // RFC 5322 also allows `!`, `%` and `|`. Postfix and others treat the first two as routing, so that a message
    // to `a%evil.example@example.com` goes to evil.example; mail delivery programs may run the third as a command.
    let atext = |b: u8| b.is_ascii_alphanumeric() || b"#$&'*+-/=?^_`{}~".contains(&b);
    if local.is_empty() || local.contains('@') {
        return Err(EmailError::Malformed);
    }
    if !local.is_ascii() {
        return Err(EmailError::NonAscii);
    }
    if local.split('.').any(str::is_empty) {
        return Err(EmailError::Dots);
    }
    if local.starts_with('-') {
        return Err(EmailError::Hyphen);
    }
    let is_atom = |atom: &str| atom.bytes().all(atext);
    if local.len() > 64 || !local.split('.').all(is_atom) {
        return Err(EmailError::LocalPart);
    }
    Ok(())
}

/// A letter that only looks different to software, such as the Kelvin sign.
fn becomes_ascii(c: char) -> bool {
    let is_ascii = |c: char| c.is_ascii();
    !c.is_ascii() && (c.to_lowercase().all(is_ascii) || std::iter::once(c).nfc().all(is_ascii))
}

/// The domain in lower case and as A-labels. Refuses a domain that cannot receive mail or that UTS 46 would
/// silently change, such as full-width letters and the Kelvin sign to ASCII.
fn ascii_domain(domain: &str) -> Result<String, EmailError> {
    let lower: String = domain.chars().flat_map(char::to_lowercase).collect();
    let ascii = idna::domain_to_ascii_cow(lower.as_bytes(), AsciiDenyList::STD3)
        .map_err(|_| EmailError::Domain)?;
    let (unicode, valid) = idna::domain_to_unicode(&ascii);
    // The typed domain must be the Unicode form of the A-label, or the A-label itself.
    if unicode != lower && *ascii != *lower {
        return Err(EmailError::LookAlike);
    }
    let last = ascii.rsplit('.').next().unwrap_or_default();
    let labels = ascii.split('.').all(|label| {
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    });
    let is_name = !last.bytes().all(|b| b.is_ascii_digit());
    if valid.is_ok() && labels && is_name && ascii.contains('.') && ascii.len() <= 253 {
        Ok(ascii.into_owned())
    } else {
        Err(EmailError::Domain)
    }
}

/// The address as typed, or with A-labels if its domain could pass for another one: people recognise an address by
/// its look.
fn unmistakable(typed: String, key: &str) -> String {
    if typed.is_ascii() {
        return typed;
    }
    let (Some((local, domain)), Some((_, ascii))) = (typed.rsplit_once('@'), key.rsplit_once('@'))
    else {
        return typed;
    };
    if is_unmistakable_domain(domain) { typed } else { format!("{local}@{ascii}") }
}

/// Whether no label looks like another one. Accented Latin and East Asian letters do not look like plain ASCII.
/// Cyrillic and Greek letters do: they are shown only if the last label is of the same script, as in `почта.рф`,
/// and no other script is mixed in.
fn is_unmistakable_domain(domain: &str) -> bool {
    #[derive(PartialEq, Clone, Copy)]
    enum Script {
        Latin,
        EastAsian,
        Greek,
        Cyrillic,
        Other,
    }
    let script = |c: char| match c {
        // Except those that look like other letters: thorn, kra, long s.
        '\u{fe}' | '\u{138}' | '\u{17f}' => Script::Other,
        '\u{df}'..='\u{f6}' | '\u{f8}'..='\u{130}' | '\u{132}'..='\u{17e}' => Script::Latin,
        '\u{3041}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}' => Script::EastAsian,
        '\u{370}'..='\u{3ff}' => Script::Greek,
        '\u{400}'..='\u{52f}' => Script::Cyrillic,
        _ => Script::Other,
    };
    let lower: String = domain.chars().flat_map(char::to_lowercase).collect();
    let foreign = |text: &str| -> Vec<Script> {
        text.chars().filter(|c| !c.is_ascii()).map(script).collect()
    };
    let last = foreign(lower.rsplit('.').next().unwrap_or_default());
    lower.split('.').all(|label| {
        let scripts = foreign(label);
        let Some(first) = scripts.first() else { return true };
        let is_pure = scripts.iter().all(|script| script == first);
        let has_ascii_letters = label.bytes().any(|b| b.is_ascii_alphabetic());
        is_pure
            && match first {
                Script::Latin => true,
                // Some East Asian signs look like a stroke or a slash between Latin letters.
                Script::EastAsian => !has_ascii_letters,
                Script::Greek | Script::Cyrillic => {
                    !has_ascii_letters && last.first() == Some(first)
                }
                Script::Other => false,
            }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> Result<String, EmailError> {
        text.parse::<Email>().map(|email| email.key)
    }

    /// Promise 13.
    #[test]
    fn one_address_in_many_spellings_is_one_account() {
        for text in ["a@example.com", "A@Example.com", " a@example.com ", "a@EXAMPLE.com"] {
            assert_eq!(key(text).as_deref(), Ok("a@example.com"), "{text}");
        }
        assert_eq!(" A@Example.com".parse::<Email>().unwrap().as_str(), "A@Example.com");
    }

    #[test]
    fn what_was_registered_of_a_domain_is_guessed() {
        for (domain, registered) in [
            ("example.com", "example.com"),
            ("a.b.example.com", "example.com"),
            ("mail.example.co.uk", "example.co.uk"),
            ("x.de", "x.de"),
            ("a.b.x.de", "x.de"),
            ("w.ab.de", "ab.de"),
        ] {
            let email: Email = format!("a@{domain}").parse().unwrap();
            assert_eq!(email.registered_domain(), registered);
        }
    }

    /// Promise 13.
    #[test]
    fn an_international_domain_is_kept_as_its_a_label() {
        for text in ["a@bücher.example", "a@BÜCHER.example", "a@xn--bcher-kva.example"] {
            assert_eq!(key(text).as_deref(), Ok("a@xn--bcher-kva.example"), "{text}");
        }
    }

    /// Promise 13.
    #[test]
    fn what_is_no_address_or_looks_like_another_is_refused() {
        use EmailError::*;
        let long_domain = format!("a@{}.com", "a".repeat(64));
        for (text, why) in [
            ("a", Malformed),
            ("@example.com", Malformed),
            ("a@", Domain),
            ("a@example", Domain),
            ("a b@example.com", Space),
            ("a@b@example.com", Malformed),
            ("a..b@example.com", Dots),
            (".a@example.com", Dots),
            ("ada.@docomo.example", Dots),
            ("-ada@example.com", Hyphen),
            ("a@-example.com", Domain),
            ("a@example..com", Domain),
            ("a@[127.0.0.1]", Domain),
            ("a@127.0.0.1", Domain),
            ("a\0@example.com", Space),
            ("\"a\"@example.com", LocalPart),
            ("boss%evil.example@example.com", LocalPart),
            ("evil.example!boss@example.com", LocalPart),
            ("|sh@example.com", LocalPart),
            ("a\u{200b}@example.com", Space),
            ("a@exam\u{200b}ple.com", Space),
            ("a@exam\u{ad}ple.com", Space),
            ("ä@example.com", NonAscii),
            ("\u{212a}@example.com", NonAscii),
            ("a@\u{212a}elvin.com", LookAlike),
            ("a@\u{ff45}xample.com", LookAlike),
            ("a@example\u{3002}com", LookAlike),
            ("a@xn--a.com", Domain),
            ("a@exa_mple.com", Domain),
            (&long_domain, Domain),
        ] {
            assert_eq!(key(text), Err(why), "{text:?}");
        }
        assert_eq!(key("  "), Err(Missing));
        assert_eq!(key("<>"), Err(Missing));
        assert_eq!(key(&format!("a@{}.com", "a.".repeat(130))), Err(TooLong));
    }

    /// Promise 13: invisible characters in pasted text are ignored.
    #[test]
    fn an_address_is_found_in_what_was_pasted() {
        for text in [
            "ada@example.com\u{a0}",
            "ada@example.com\u{200b}",
            "\u{feff}ada@example.com",
            "\u{202a}ada@example.com\u{202c}",
            "ada@example.com\u{2060}",
            "ada@example.com\u{3000}",
            "ada@example.com\r\n",
            "mailto:ada@example.com",
            "MAILTO: ada@example.com",
            "mailto:ada@example.com?subject=Hello&body=%40",
            "mailto:ada%40example.com",
            "<mailto:ada@example.com>",
            "Ada <mailto:%20ada@example.com>",
            "\u{fffc}ada@example.com\u{fff0}",
            "\u{2800}\u{1d173}ada@example.com\u{1bca0}\u{e0020}\u{e007f}",
            "\u{2066}ada@example.com\u{2069}\u{fe0f}",
            "\u{85}\t\u{b}ada@example.com\u{2028}",
            "Ada <ada@example.com>",
            "\"Lovelace, Ada\" <ada@example.com> ",
            "ada\u{ff20}example.com",
        ] {
            let email: Email = text.parse().unwrap();
            assert_eq!(email.as_str(), "ada@example.com", "{text:?}");
            assert_eq!(email.key(), "ada@example.com", "{text:?}");
        }
        assert_eq!(key("a@mu\u{308}ller.example").as_deref(), Ok("a@xn--mller-kva.example"));
        assert_eq!(
            key("mailto:ada%2Bshop@example.com?cc=b@example.com").as_deref(),
            Ok("ada+shop@example.com")
        );
        // Only in a link is a percent sign an escape, and a question mark an end.
        assert_eq!(key("ada%2Bshop@example.com"), Err(EmailError::LocalPart));
        assert_eq!(key("ada?@example.com").as_deref(), Ok("ada?@example.com"));
        assert_eq!(key("mailto:ada%00@example.com"), Err(EmailError::Space));
    }

    /// Promise 13: a domain that could pass for another one is shown as A-labels.
    #[test]
    fn a_domain_that_looks_like_another_is_shown_as_its_a_label() {
        let shown = |text: &str| text.parse::<Email>().unwrap().as_str().to_owned();
        for text in ["a@bücher.example", "a@日本語.example", "a@почта.рф", "a@ελλάδα.ελ"]
        {
            assert_eq!(shown(text), text);
        }
        for (text, ascii) in [
            // All Cyrillic except the ending, and one foreign letter among ASCII.
            ("a@аррӏе.com", "a@xn--80ak6aa92e.com"),
            ("a@p\u{430}ypal.com", "a@xn--pypal-4ve.com"),
            ("a@\u{251}pple.com", "a@xn--pple-p5b.com"),
            ("a@to\u{fe}.com", "a@xn--to-4ka.com"),
            // A letter of its own in Turkish, which looks like an i.
            ("a@\u{131}s\u{131}tma.example", "a@xn--stma-kzab.example"),
            ("a@ex\u{131}t.com", "a@xn--ext-kua.com"),
        ] {
            assert_eq!(shown(text), ascii, "{text}");
            let stored = Email::from_row(text.into(), ascii.into());
            assert_eq!(stored.as_str(), ascii);
        }
    }

    proptest! {
        /// An accepted address can receive mail, parses again to the same account, and contains nothing unexpected.
        #[test]
        fn an_address_that_is_taken_is_sound(text in "\\PC{0,60}|[a-z.+]{1,20}@[a-zäöü.-]{1,30}") {
            if let Ok(email) = text.parse::<Email>() {
                prop_assert!(email.key.is_ascii() && email.key.len() <= 254);
                prop_assert_eq!(email.key.to_ascii_lowercase(), email.key.clone());
                prop_assert!(email.deliverable().parse::<lettre::Address>().is_ok());
                let again: Email = email.key.parse().unwrap();
                prop_assert_eq!(again.key, email.key);
            }
        }
    }
}
