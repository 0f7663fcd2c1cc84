//! The page of what happened to the account.

use std::borrow::Cow;

use askama::Template;
use rocket::http::Status;
use rocket::{State, get};

use crate::auth::{Activity, Auth, Device};
use crate::config::Zone;
use crate::web::cursor::Cursor;
use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::pages::{self, Answer};
use crate::{Error, urls, words};

/// The number of events on a page.
const A_PAGE: u32 = 50;

/// An event in words.
struct Row {
    what: Cow<'static, str>,
    at: String,
    at_machine: String,
    device: String,
    /// `None` if the operator did it.
    ip: Option<String>,
}

impl Row {
    fn new(activity: Activity, zone: &Zone) -> Self {
        let Activity { at, event, ip, user_agent, .. } = activity;
        Self {
            what: words::account::event(event),
            at: words::dates::minute(at, zone),
            at_machine: at.rfc3339(),
            device: words::mail::device(Device::of_user_agent(&user_agent)),
            ip: Some(ip).filter(|ip| !matches!(&**ip, "" | "::")),
        }
    }
}

#[derive(Template)]
#[template(path = "activity.html", blocks = ["title", "main"])]
struct ActivityPage<'a> {
    frame: Frame<'a>,
    rows: Vec<Row>,
    /// Whether these are not the newest.
    is_further: bool,
    older: Option<Cursor>,
}

parts!(ActivityPage);

#[get("/activity?<before>")]
pub(in crate::web) async fn show(
    before: Option<Cursor>,
    page: Page<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Some(session) = page.session else {
        return Ok(Answer::Go(page.sign_in_first(urls::ACTIVITY)));
    };
    let user = session.user.id;
    let mut found = auth.activity(user, before.map(Cursor::into_inner), A_PAGE + 1).await?;
    let has_older = found.len() > A_PAGE as usize;
    found.truncate(A_PAGE as usize);
    let older = found.last().filter(|_| has_older).map(|last| Cursor::after(last.at, last.id));
    let zone = &page.frame.config.time_zone;
    let page = ActivityPage {
        frame: page.frame,
        rows: found.into_iter().map(|activity| Row::new(activity, zone)).collect(),
        is_further: before.is_some(),
        older,
    };
    Ok(Answer::Page(pages::show(Status::Ok, &page)))
}
