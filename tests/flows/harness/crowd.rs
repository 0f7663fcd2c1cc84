//! Concurrent requests.

use rocket::futures::future::{join, join_all};
use rocket::http::Method;

use super::PASSWORD;
use super::browser::{Browser, urlencoded};
use super::page::Seen;

impl Browser {
    /// Sends the same form `n` times at once; returns the statuses.
    pub fn post_at_once<const N: usize>(
        &self,
        n: usize,
        path: &str,
        fields: [(&str, &str); N],
    ) -> Vec<u16> {
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let body = urlencoded(&fields);
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "text/html")];
        let all = (0..n).map(|_| self.dispatch(Method::Post, path, &headers, Some(&body)));
        let seen = self.server.runtime.block_on(join_all(all));
        seen.into_iter().map(|seen| seen.status).collect()
    }

    /// Sends forms at once; returns the statuses, in order.
    pub fn send_all<const N: usize>(
        &self,
        requests: impl Iterator<Item = (Method, String, [(String, String); N])>,
    ) -> Vec<u16> {
        let all = requests.map(|(method, path, fields)| async move {
            let headers = [("Content-Type", "application/x-www-form-urlencoded")];
            self.dispatch(method, &path, &headers, Some(&urlencoded(&fields))).await.status
        });
        self.server.runtime.block_on(join_all(all))
    }

    /// Sends a form `n` times and another one once, all at once; returns the responses, the other's last.
    pub fn post_beside<const N: usize, const M: usize>(
        &self,
        n: usize,
        path: &str,
        fields: [(&str, &str); N],
        other: &str,
        other_fields: [(&str, &str); M],
    ) -> Vec<Seen> {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let own = |fields: &[(&str, &str)]| -> Vec<(String, String)> {
            fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let (body, other_body) = (urlencoded(&own(&fields)), urlencoded(&own(&other_fields)));
        let mut all: Vec<_> =
            (0..n).map(|_| self.dispatch(Method::Post, path, &headers, Some(&body))).collect();
        all.push(self.dispatch(Method::Post, other, &headers, Some(&other_body)));
        self.server.runtime.block_on(join_all(all))
    }

    /// Sends a form `n` times at once, and visits pages before any of them is answered; returns the statuses of
    /// both.
    pub fn during_storm<const N: usize>(
        &self,
        n: usize,
        path: &str,
        fields: [(&str, &str); N],
        pages: &[&str],
    ) -> (Vec<u16>, Vec<u16>) {
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let body = urlencoded(&fields);
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let is_over = std::cell::Cell::new(0);
        let storm = join_all((0..n).map(|_| async {
            let seen = self.dispatch(Method::Post, path, &headers, Some(&body)).await;
            is_over.set(is_over.get() + usize::from(seen.status != 503));
            seen.status
        }));
        let visits = async {
            let mut statuses = Vec::new();
            for _ in 0..5 {
                for page in pages {
                    statuses.push(self.dispatch(Method::Get, page, &[], None).await.status);
                }
            }
            assert!(is_over.get() < 25, "the pages were answered during the storm");
            statuses
        };
        self.server.runtime.block_on(join(storm, visits))
    }

    /// Signs in to one account `n` times at once from one address, with this browser's cookies, and in parallel to
    /// those of some strangers, `p0@example.com` and so on, each from its own address; returns the statuses.
    pub fn storm_beside_others(&self, n: usize, email: &str, strangers: usize) -> Vec<u16> {
        let form = |email: &str| {
            urlencoded(&[("email".into(), email.into()), ("password".into(), PASSWORD.into())])
        };
        let device = self.cookies.borrow().get("vestibule_device").cloned().unwrap_or_default();
        let own = (0..n).map(|_| ("203.0.113.1".to_owned(), form(email), device.clone()));
        let theirs = (0..strangers).map(|n| {
            (format!("198.51.100.{n}"), form(&format!("p{n}@example.com")), String::new())
        });
        let all = own.chain(theirs).map(|(from, body, device)| async move {
            let cookie = format!("vestibule_device={device}");
            let headers = [
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("X-Forwarded-For", &from),
                ("Cookie", &cookie),
            ];
            self.dispatch(Method::Post, "/login", &headers, Some(&body)).await.status
        });
        self.server.runtime.block_on(join_all(all))
    }
}
