//! The URL of the database.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Deserializer};
use url::Url;

use super::parsed;
use crate::config::{Misread, Must};

/// The URL of the database. May contain a password, so its `Debug` reveals nothing.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let scheme = scheme.to_ascii_lowercase();
        let names_one = match scheme.as_str() {
            "sqlite" => {
                let file = rest.strip_prefix("//").unwrap_or(rest);
                let file = file.split('?').next().unwrap_or_default();
                // Each connection would have an in-memory database of its own, however that is spelled.
                let decoded = percent_decode_str(rest).decode_utf8_lossy().to_lowercase();
                !file.trim().is_empty()
                    && !decoded.contains(":memory:")
                    && !decoded.contains("mode=memory")
                    && !decoded.trim_start_matches('/').starts_with("file:")
            }
            "postgres" | "postgresql" => rest.starts_with("//") && rest.len() > 2,
            _ => false,
        };
        names_one.then(|| Self(format!("{scheme}:{rest}")))
    }

    /// The URL of a SQLite file; `None` if its path is not UTF-8.
    pub(crate) fn of_file(path: &Path) -> Option<Self> {
        // What ends a path in a URL, or is read as something else there.
        const SPECIAL: AsciiSet = CONTROLS.add(b'%').add(b'?').add(b'#');
        // The driver would take two slashes at the beginning for those after `sqlite:`, and a colon for the end of a
        // scheme.
        let mut path: PathBuf = path.components().collect();
        if matches!(path.components().next(), Some(Component::Normal(name)) if name.to_str()?.contains(':'))
        {
            path = Path::new(".").join(path);
        }
        Some(Self(format!("sqlite:{}", utf8_percent_encode(path.to_str()?, &SPECIAL))))
    }

    /// The URL for the driver.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether other processes may use the same database.
    pub(crate) fn is_postgres(&self) -> bool {
        self.0.starts_with("postgres")
    }

    /// The feature of this crate that the database needs, if it is not built in.
    pub(crate) fn missing_feature(&self) -> Option<&'static str> {
        let (feature, is_built_in) = if self.is_postgres() {
            ("postgres", cfg!(feature = "postgres"))
        } else {
            ("sqlite", cfg!(feature = "sqlite"))
        };
        (!is_built_in).then_some(feature)
    }

    /// Why the driver would misinterpret the URL: it ignores parameters of PostgreSQL that it does not know, and with
    /// some of SQLite (`immutable`, `cache`, `vfs`) the service would start and not work. `mode=rwc`, which host apps
    /// have in their URLs, changes nothing.
    pub(crate) fn misread(&self) -> Option<Misread> {
        const KNOWN: [&str; 11] = [
            "sslmode",
            "sslrootcert",
            "sslcert",
            "sslkey",
            "host",
            "port",
            "dbname",
            "user",
            "password",
            "application_name",
            "options",
        ];
        if !self.is_postgres() {
            let parameters = self.0.split_once('?').map(|(_, parameters)| parameters);
            let is_plain = parameters.is_none_or(|parameters| parameters == "mode=rwc");
            return (!is_plain).then_some(Misread::SqliteParameter);
        }
        let Ok(url) = Url::parse(&self.0) else {
            return Some(Misread::Unreadable);
        };
        // The parser would take the last `@`; but the host that it names may then be the rest of a password.
        let front = self.0.split('?').next().unwrap_or_default();
        if url.fragment().is_some() || front.matches('@').count() > 1 || url.path().contains('@') {
            return Some(Misread::EndsEarly);
        }
        if url.host_str().is_some_and(|host| host.contains(',') || host.contains("%2C")) {
            return Some(Misread::SeveralHosts);
        }
        let is_known =
            |key: &str| KNOWN.contains(&key) || (key.starts_with("options[") && key.ends_with(']'));
        let keys: Vec<_> = url.query_pairs().map(|(key, _)| key).collect();
        if (1..keys.len()).any(|n| keys[..n].contains(&keys[n])) {
            return Some(Misread::ParameterTwice);
        }
        if let Some(root) = parameter(&url, "sslrootcert") {
            if !matches!(parameter(&url, "sslmode").as_deref(), Some("verify-full" | "verify-ca")) {
                return Some(Misread::UnusedRootCertificate);
            }
            if std::fs::File::open(root).is_err() {
                return Some(Misread::UnreadableRootCertificate);
            }
        }
        let is_unknown = keys.iter().any(|key| !is_known(key));
        // After a raw `?` in the password, the host would be among the parameters.
        let ends_early = url.query().is_some_and(|query| query.contains('@'));
        let problem =
            if ends_early { Misread::EndsEarly } else { Misread::UnknownParameter(&KNOWN) };
        is_unknown.then_some(problem)
    }

    /// The database without its password.
    pub(crate) fn place(&self) -> DatabasePlace {
        if !self.is_postgres() {
            let file = self.0.trim_start_matches("sqlite:").trim_start_matches("//");
            let file = percent_decode_str(file.split('?').next().unwrap_or_default());
            return DatabasePlace::SqliteFile(file.decode_utf8_lossy().into_owned());
        }
        let Ok(url) = Url::parse(&self.0) else { return DatabasePlace::Postgres };
        // Parameters after the `?` take precedence.
        let said = |name: &str| parameter(&url, name);
        let port = said("port").or(url.port().map(|port| port.to_string()));
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let name = said("dbname").unwrap_or_else(|| url.path().trim_start_matches('/').into());
        // If the password has an unescaped `/`, its rest is where the name should be.
        let name = name.rsplit('@').next().unwrap_or_default().to_owned();
        let host = url.host_str().filter(|host| !host.is_empty()).map(str::to_owned);
        match said("host").or(host) {
            Some(host) => DatabasePlace::PostgresServer { server: format!("{host}{port}"), name },
            None => DatabasePlace::PostgresSocket { port, name },
        }
    }
}

/// Where the database is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DatabasePlace {
    SqliteFile(String),
    /// By host and port.
    PostgresServer {
        server: String,
        name: String,
    },
    /// By a local socket. `port` is a part of its name: a colon and the number, or empty.
    PostgresSocket {
        port: String,
        name: String,
    },
    /// The URL cannot be parsed.
    Postgres,
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place().fmt(f)
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, Must::DatabaseUrl, Self::parse)
    }
}

/// The value of a parameter of the URL.
fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_url_names_a_database() {
        for text in
            ["sqlite:a.db", "sqlite://a.db?mode=rwc", "postgres://u:p@h/d", "PostgreSQL://h/d"]
        {
            assert!(DatabaseUrl::parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            " ",
            "a.db",
            "mysql://h/d",
            "sqlite:",
            "sqlite: ",
            "sqlite::memory:",
            "sqlite:a?mode=memory",
            "postgres:",
        ] {
            assert!(DatabaseUrl::parse(text).is_none(), "{text:?}");
        }
        let url = DatabaseUrl::parse("postgres://u:hunter2@db.example.com:5433/accounts").unwrap();
        let (server, name) = ("db.example.com:5433".to_owned(), "accounts".to_owned());
        assert_eq!(url.place(), DatabasePlace::PostgresServer { server, name });
    }
}
