//! The files of `static/`, compiled in, the style sheet made from the accent, and the files of the settings `logo`
//! and `extra_css`.

use std::fs;
use std::io;
use std::path::Path;

use rocket::http::{ContentType, Header};
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, Responder, State, get};
use sha2::{Digest, Sha256};

use crate::colours;
use crate::config::{Config, ConfigError, Must, Problem};

const STYLE: &str = include_str!("../../static/style.css");
const SCRIPT: &str = include_str!("../../static/vestibule.js");
const FAVICON: &str = include_str!("../../static/favicon.svg");
/// For browsers that look for it whatever a page says: 16, 32 and 48 pixels.
const FAVICON_ICO: &[u8] = include_bytes!("../../static/favicon.ico");
/// On the home screen of a phone.
const TOUCH_ICON: &[u8] = include_bytes!("../../static/touch-icon.png");
/// Pages may be found. Those with a secret in their path are not hidden here: a search engine that never loads a page
/// does not see that its header forbids to list it.
const ROBOTS: &str = "User-agent: *\nDisallow: /api/\n";

/// The largest file of a setting, in bytes: it is kept in memory.
const LARGEST: usize = 1 << 20;

/// The static files of this process.
#[derive(Default)]
pub(crate) struct Assets {
    theme: String,
    extra_style: Option<Vec<u8>>,
    logo: Option<(ContentType, Vec<u8>)>,
    /// A part of the URLs of the files, so that browsers may cache them for a year and still see changes at once.
    version: String,
}

impl Assets {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// If one cannot be read, is too large, or the logo is no image that browsers show.
    pub(crate) fn read(config: &Config) -> Result<Self, ConfigError> {
        let theme = colours::style_sheet(config.accent);
        let extra_style = config.extra_css.as_deref();
        let extra_style =
            extra_style.map(|path| read("extra_css", path, Must::Style)).transpose()?;
        let logo = config.logo.as_deref().map(read_logo).transpose()?;
        let mut digest = Sha256::new();
        for text in [STYLE, SCRIPT, FAVICON, &theme] {
            digest.update(text);
        }
        digest.update(TOUCH_ICON);
        digest.update(extra_style.as_deref().unwrap_or_default());
        digest.update(logo.as_ref().map_or(&[][..], |(_, bytes)| bytes));
        let [a, b, c, d, ..] = <[u8; 32]>::from(digest.finalize());
        let version = format!("{:08x}", u32::from_be_bytes([a, b, c, d]));
        Ok(Self { theme, extra_style, logo, version })
    }

    /// The version to link to.
    pub(in crate::web) fn version(&self) -> &str {
        &self.version
    }

    pub(in crate::web) fn has_extra_style(&self) -> bool {
        self.extra_style.is_some()
    }

    pub(in crate::web) fn has_logo(&self) -> bool {
        self.logo.is_some()
    }
}

fn read(key: &str, path: &Path, must: Must) -> Result<Vec<u8>, ConfigError> {
    let key = format!("vestibule.{key}");
    let size = fs::metadata(path).and_then(|found| {
        if found.is_file() { Ok(found.len()) } else { Err(io::ErrorKind::InvalidInput.into()) }
    });
    let failed = |error| ConfigError::new(&key, Problem::NoFile(error));
    if usize::try_from(size.map_err(failed)?).is_ok_and(|size| size <= LARGEST) {
        return fs::read(path).map_err(failed);
    }
    Err(ConfigError::must(&key, must))
}

fn read_logo(path: &Path) -> Result<(ContentType, Vec<u8>), ConfigError> {
    let bytes = read("logo", path, Must::Logo)?;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let kind = match ending.to_ascii_lowercase().as_str() {
        "svg" => ContentType::SVG,
        "png" => ContentType::PNG,
        "jpg" | "jpeg" => ContentType::JPEG,
        "webp" => ContentType::WEBP,
        "avif" => ContentType::AVIF,
        "gif" => ContentType::GIF,
        _ => return Err(ConfigError::must("vestibule.logo", Must::Logo)),
    };
    Ok((kind, bytes))
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
        let served = request.rocket().state().map(Assets::version);
        Outcome::Success(if asked == served { Self::ThisVersion } else { Self::Another })
    }
}

#[get("/static/vestibule.css")]
pub(in crate::web) fn style(named: Named) -> Asset<'static> {
    Asset::new(ContentType::CSS, STYLE, named)
}

#[get("/static/vestibule-theme.css")]
pub(in crate::web) fn theme_css(assets: &State<Assets>, named: Named) -> Asset<'_> {
    Asset::new(ContentType::CSS, &assets.inner().theme, named)
}

#[get("/static/vestibule-extra.css")]
pub(in crate::web) fn extra_style(assets: &State<Assets>, named: Named) -> Option<Asset<'_>> {
    let style = assets.inner().extra_style.as_deref()?;
    Some(Asset::new(ContentType::CSS, style, named))
}

#[get("/static/vestibule-logo")]
pub(in crate::web) fn logo(assets: &State<Assets>, named: Named) -> Option<Asset<'_>> {
    let (kind, image) = assets.inner().logo.as_ref()?;
    Some(Asset::new(kind.clone(), image, named))
}

#[get("/static/vestibule.js")]
pub(in crate::web) fn script(named: Named) -> Asset<'static> {
    Asset::new(ContentType::JavaScript, SCRIPT, named)
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
