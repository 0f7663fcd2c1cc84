//! The files of `static/`, compiled in, and the style sheet generated from the settings.

use rocket::http::{ContentType, Header};
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, Responder, State, get};
use sha2::{Digest, Sha256};

use crate::config::{Accent, Config};

const STYLE: &str = include_str!("../../static/style.css");
const FAVICON: &str = include_str!("../../static/favicon.svg");
/// For browsers that look for it whatever a page says: 16, 32 and 48 pixels.
const FAVICON_ICO: &[u8] = include_bytes!("../../static/favicon.ico");
/// On the home screen of a phone.
const TOUCH_ICON: &[u8] = include_bytes!("../../static/touch-icon.png");
/// Pages may be found. Those with a secret in their path are not hidden here: a search engine that never loads a page
/// does not see that its header forbids to list it.
const ROBOTS: &str = "User-agent: *\nDisallow: /api/\n";

/// The style sheets of this process.
pub(crate) struct Assets {
    theme: String,
    /// A part of the URLs of the style sheets, so that browsers may cache them for a year and still see changes at
    /// once.
    version: String,
}

impl Assets {
    pub(crate) fn new(config: &Config) -> Self {
        let theme = theme(config.accent);
        let digest = Sha256::new().chain_update(STYLE).chain_update(FAVICON);
        let digest = digest.chain_update(TOUCH_ICON).chain_update(&theme);
        let [a, b, c, d, ..] = <[u8; 32]>::from(digest.finalize());
        let version = format!("{:08x}", u32::from_be_bytes([a, b, c, d]));
        Self { theme, version }
    }

    /// The version of the assets to link to in the response to `request`.
    pub(in crate::web) fn version<'r>(request: &'r Request<'_>) -> &'r str {
        request.rocket().state().map_or("", |assets: &Self| &assets.version)
    }
}

#[derive(Responder)]
pub(in crate::web) struct Asset<'r> {
    content: (ContentType, &'r [u8]),
    cache: Header<'static>,
}

impl<'r> Asset<'r> {
    fn new(kind: ContentType, content: &'r (impl AsRef<[u8]> + ?Sized), named: Named) -> Self {
        // During an upgrade, another node may serve an older file under the newer version's name.
        let cache = match named {
            Named::ThisVersion => "public, max-age=31536000, immutable",
            Named::Another => "no-cache",
        };
        Self { content: (kind, content.as_ref()), cache: Header::new("Cache-Control", cache) }
    }
}

/// Whether the requested version is the one that is served.
pub(in crate::web) enum Named {
    ThisVersion,
    Another,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Named {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let asked = request.uri().query().map(|query| query.as_str());
        let is_this = asked == Some(Assets::version(request));
        Outcome::Success(if is_this { Self::ThisVersion } else { Self::Another })
    }
}

#[get("/static/vestibule.css")]
pub(in crate::web) fn style(named: Named) -> Asset<'static> {
    Asset::new(ContentType::CSS, STYLE, named)
}

#[get("/static/vestibule-theme.css")]
pub(in crate::web) fn theme_css(assets: &State<Assets>, named: Named) -> Asset<'_> {
    Asset::new(ContentType::CSS, &assets.theme, named)
}

#[get("/static/vestibule.svg")]
pub(in crate::web) fn favicon(named: Named) -> Asset<'static> {
    Asset::new(ContentType::SVG, FAVICON, named)
}

#[get("/static/vestibule-touch.png")]
pub(in crate::web) fn touch_icon(named: Named) -> Asset<'static> {
    Asset::new(ContentType::PNG, TOUCH_ICON, named)
}

#[get("/apple-touch-icon.png")]
pub(in crate::web) fn apple_touch_icon() -> Asset<'static> {
    Asset::new(ContentType::PNG, TOUCH_ICON, Named::Another)
}

#[get("/favicon.ico")]
pub(in crate::web) fn favicon_ico() -> Asset<'static> {
    Asset::new(ContentType::Icon, FAVICON_ICO, Named::Another)
}

#[get("/robots.txt")]
pub(in crate::web) fn robots() -> Asset<'static> {
    Asset::new(ContentType::Plain, ROBOTS, Named::Another)
}

/// The background colours in light and dark mode; `style.css` and `layout.html` have the same.
const PAPER: [u8; 3] = [0xfb, 0xf8, 0xf3];
const NIGHT: [u8; 3] = [0x1b, 0x18, 0x16];

/// The accent colour, made darker or lighter until it is readable (7:1, WCAG 2.2 1.4.6) on both backgrounds: the
/// setting comes from a logo, not from a contrast table.
fn theme(accent: Accent) -> String {
    let day = readable(accent.0, PAPER, 0);
    let night = readable(accent.0, NIGHT, 255);
    format!(".vestibule{{--accent:light-dark({},{})}}\n", hex(day), hex(night))
}

fn readable(mut colour: [u8; 3], ground: [u8; 3], towards: u8) -> [u8; 3] {
    while contrast(colour, ground) < 7.0 && colour != [towards; 3] {
        colour = colour.map(|part| {
            if part < towards { part + 1 } else { part.saturating_sub(u8::from(part > towards)) }
        });
    }
    colour
}

/// WCAG 2.2, "contrast ratio".
fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// WCAG 2.2, "relative luminance".
fn luminance(colour: [u8; 3]) -> f64 {
    let [r, g, b] = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_accent_reads_well_by_day_and_by_night() {
        for accent in [[0; 3], [255; 3], [0x8a, 0x3b, 0x12], [255, 255, 0], [0, 0, 255]] {
            assert!(contrast(readable(accent, PAPER, 0), PAPER) >= 7.0, "{accent:?}");
            assert!(contrast(readable(accent, NIGHT, 255), NIGHT) >= 7.0, "{accent:?}");
        }
    }

    #[test]
    fn the_grounds_are_those_of_the_style_sheet() {
        assert!(STYLE.contains(&format!("--ground: light-dark({}, {})", hex(PAPER), hex(NIGHT))));
        let layout = include_str!("../../templates/layout.html");
        for (ground, scheme) in [(PAPER, "light"), (NIGHT, "dark")] {
            let colour = hex(ground);
            let line = format!("content=\"{colour}\" media=\"(prefers-color-scheme: {scheme})\"");
            assert!(layout.contains(&line), "{line}");
        }
    }
}
