//! A browser or a program: keeps cookies, and sends forms and requests.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rocket::http::{Cookie, Header, Method};

use super::app::Server;
use super::page::Seen;

/// A browser.
#[derive(Clone)]
pub struct Browser {
    pub(super) server: Rc<Server>,
    /// The client IP that the proxy in front reports.
    ip: Option<String>,
    pub cookies: Rc<RefCell<BTreeMap<String, String>>>,
}

impl Browser {
    pub(super) fn new(server: Rc<Server>) -> Self {
        Self { server, ip: None, cookies: Rc::default() }
    }

    /// This browser with another client IP; see [`TestApp::behind_a_proxy`](super::TestApp::behind_a_proxy).
    pub(super) fn at(self, ip: &str) -> Self {
        Self { ip: Some(ip.to_owned()), ..self }
    }

    /// Opens a page.
    pub fn visit(&self, path: &str) -> Seen {
        self.request(Method::Get, path, &[("Accept", "text/html,*/*;q=0.8")], None)
    }

    /// Opens the page at `path`, fills in its form, and submits it.
    pub fn submit<const N: usize>(&self, path: &str, fields: [(&str, &str); N]) -> Seen {
        self.visit(path).and_submit(fields)
    }

    /// Posts a form without opening its page, with a browser's headers.
    pub fn post<const N: usize>(&self, path: &str, fields: [(&str, &str); N]) -> Seen {
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.post_form(path, &fields)
    }

    pub(super) fn post_form(&self, path: &str, fields: &[(String, String)]) -> Seen {
        let headers = [
            ("Accept", "text/html,*/*;q=0.8"),
            ("Origin", "http://localhost:8000"),
            ("Sec-Fetch-Site", "same-origin"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        // A page of the service is typed as a story sees it.
        let real = |(name, value): &(String, String)| match &self.server.mount {
            Some(mount) if name == "next" => (name.clone(), mount.path(value)),
            _ => (name.clone(), value.clone()),
        };
        let fields: Vec<(String, String)> = fields.iter().map(real).collect();
        self.request(Method::Post, path, &headers, Some(&urlencoded(&fields)))
    }

    /// Sends a form as a program does, without an `Origin`.
    pub fn call<const N: usize>(
        &self,
        method: Method,
        path: &str,
        fields: [(&str, &str); N],
    ) -> Seen {
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        self.request(method, path, &[("Accept", "*/*"), form], Some(&urlencoded(&fields)))
    }

    /// Sends a request as a program does, without a body.
    pub fn ask(&self, method: Method, path: &str) -> Seen {
        self.request(method, path, &[("Accept", "*/*")], None)
    }

    /// Sends JSON as a program does.
    pub fn send_json(&self, method: Method, path: &str, body: &str) -> Seen {
        let headers = [("Accept", "*/*"), ("Content-Type", "application/json")];
        self.request(method, path, &headers, Some(body))
    }

    /// Sends any request.
    pub fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Seen {
        self.server.runtime.block_on(self.dispatch(method, path, headers, body))
    }

    /// Sends any request, for tests of concurrent requests.
    pub async fn dispatch(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Seen {
        let mount = self.server.mount.as_ref();
        let real = mount.map_or_else(|| path.to_owned(), |mount| mount.path(path));
        let mut request = self.server.client().req(method, real);
        let named = |wanted: &str| headers.iter().any(|(name, _)| *name == wanted);
        if !named("User-Agent") {
            let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
            request.add_header(Header::new("User-Agent", agent));
        }
        for (name, value) in headers {
            request.add_header(Header::new((*name).to_owned(), (*value).to_owned()));
        }
        if let Some(ip) = self.ip.as_ref().filter(|_| !named("X-Forwarded-For")) {
            request.add_header(Header::new("X-Forwarded-For", ip.clone()));
        }
        // The local client does not parse `Cookie` headers.
        let kept = || {
            let jar = self.cookies.borrow();
            jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        let given = headers.iter().find(|(name, _)| *name == "Cookie").map(|(_, value)| value);
        let cookies = given
            .map_or_else(kept, |value| value.split(';').map(|c| c.trim().to_owned()).collect());
        for cookie in cookies.iter().filter_map(|c| Cookie::parse_encoded(c.clone()).ok()) {
            request = request.cookie(cookie);
        }
        if let Some(body) = body {
            request.add_header(Header::new("Content-Length", body.len().to_string()));
            request.set_body(body);
        }
        let response = request.dispatch().await;
        let status = response.status().code;
        let headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .map(|header| {
                let (name, value) =
                    (header.name().to_string().to_ascii_lowercase(), header.value());
                let location = mount.filter(|_| name == "location");
                (name, location.map_or_else(|| value.to_owned(), |mount| mount.location(value)))
            })
            .collect();
        let body = response.into_bytes().await.unwrap_or_default();
        for (_, cookie) in headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            let mut jar = self.cookies.borrow_mut();
            if attributes.contains("Max-Age=0") {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        if let Some(described) = self.server.described().await {
            described.has(method.as_str(), path, status, &headers, &body);
        }
        let body = mount.map_or_else(|| body.clone(), |mount| mount.seen(&body));
        Seen { browser: self.clone(), path: path.to_owned(), status, headers, body }
    }

    /// The content of a sealed cookie; `None` if it is missing or not sealed with the key.
    pub fn unsealed(&self, name: &str) -> Option<String> {
        let value = self.cookies.borrow().get(name)?.clone();
        let cookie = Cookie::parse_encoded(format!("{name}={value}")).ok()?.into_owned();
        let request = self.server.client().get("/").cookie(cookie);
        request.inner().cookies().get_private(name).map(|cookie| cookie.value().to_owned())
    }

    /// The session cookie.
    pub fn session_cookie(&self) -> Option<String> {
        self.cookies.borrow().get("session_id").cloned()
    }

    /// Asks the server whether this browser is signed in.
    #[track_caller]
    pub fn is_signed_in(&self) -> bool {
        let seen = self.ask(Method::Get, "/api/v1/session");
        match seen.status {
            200 => true,
            401 => false,
            _ => panic!("neither signed in nor out: {} {}", seen.status, seen.body),
        }
    }

    /// Another browser with the same cookies: a thief's, or a second tab that has not seen later ones.
    pub fn copy(&self) -> Self {
        Self { cookies: Rc::new(self.cookies.as_ref().clone()), ..self.clone() }
    }
}

/// `application/x-www-form-urlencoded`
pub fn urlencoded(fields: &[(String, String)]) -> String {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|b| match b {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                    char::from(b).to_string()
                }
                _ => format!("%{b:02X}"),
            })
            .collect()
    };
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}
