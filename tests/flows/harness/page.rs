//! Responses: pages and their forms, as a person sees them, and JSON.

use rocket::serde::json::Value;

use super::browser::Browser;

/// A response.
pub struct Seen {
    pub(super) browser: Browser,
    pub(super) path: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Seen {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The cookie of this name that it sets, with its attributes.
    #[track_caller]
    pub fn set_cookie(&self, name: &str) -> &str {
        let mut set = self.headers.iter().filter(|(header, _)| header == "set-cookie");
        let cookie = set.find_map(|(_, cookie)| {
            cookie.split_once('=').filter(|(n, _)| *n == name).map(|_| cookie)
        });
        cookie.unwrap_or_else(|| panic!("{} sets no cookie {name}: {:?}", self.path, self.headers))
    }

    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} answered:\n{}", self.path, self.body);
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.text().contains(text), "{} does not say {text:?}:\n{}", self.path, self.body);
        self
    }

    /// Asserts the message beside a field.
    #[track_caller]
    pub fn says_beside(self, field: &str, text: &str) -> Self {
        let said = self.field(field).error.unwrap_or_default();
        assert!(said.contains(text), "{} says beside {field}, not {text:?}: {said:?}", self.path);
        self
    }

    /// Asserts the value of a field.
    #[track_caller]
    pub fn shows_in(self, field: &str, value: &str) -> Self {
        assert_eq!(self.field(field).value, value, "{} in {field}", self.path);
        self
    }

    #[track_caller]
    pub fn does_not_say(self, text: &str) -> Self {
        assert!(!self.text().contains(text), "{} says {text:?}:\n{}", self.path, self.body);
        self
    }

    #[track_caller]
    pub fn redirects_to(self, path: &str) -> Self {
        assert_eq!(self.status, 303, "{} answered:\n{}", self.path, self.body);
        assert_eq!(self.header("location"), Some(path));
        self
    }

    /// Asserts that a program is refused for this kind of problem.
    #[track_caller]
    pub fn refuses(self, status: u16, name: &str) -> Self {
        let seen = self.is(status);
        assert_eq!(seen.header("content-type"), Some("application/problem+json"));
        let problem = seen.json();
        assert_eq!(problem["type"], format!("urn:vestibule:problem:{name}"));
        assert_eq!(problem["status"], status);
        seen
    }

    #[track_caller]
    pub fn is_json(&self, json: &str) {
        let wanted: Value = rocket::serde::json::from_str(json).unwrap();
        assert_eq!(self.json(), wanted);
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        rocket::serde::json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    /// The text of the body.
    fn text(&self) -> String {
        // What has an element of its own within a sentence is read as a part of it.
        unescaped(
            &["<bdi>", "</bdi>", "<code>", "</code>"]
                .iter()
                .fold(self.body.clone(), |b, t| b.replace(t, "")),
        )
    }

    /// A field of a form on the page.
    #[track_caller]
    pub fn field(&self, name: &str) -> Field {
        let mut inputs =
            self.body.split("<input ").skip(1).filter_map(|rest| rest.split('>').next());
        let input = inputs.find(|input| input.contains(&format!("name=\"{name}\"")));
        let input =
            input.unwrap_or_else(|| panic!("{} has no field {name}:\n{}", self.path, self.body));
        let error = between(&self.body, &format!("id=\"{name}-error\">"), "</p>");
        let is_marked = input.contains("aria-invalid=\"true\"");
        assert_eq!(is_marked, error.is_some(), "a wrong field is marked, and no other: {input}");
        let words = |html: &str| {
            let texts = html.split('<').map(|part| part.rsplit('>').next().unwrap_or(part));
            unescaped(texts.collect::<String>().trim())
        };
        Field {
            value: between(input, "value=\"", "\"").map(unescaped).unwrap_or_default(),
            error: error.map(words).map(|text| text.trim_start_matches("! Error: ").to_owned()),
        }
    }

    /// The title of the page.
    pub fn title(&self) -> String {
        between(&self.body, "<title>", "</title>").map(unescaped).unwrap_or_default()
    }

    /// Submits the form of this page: its hidden and prefilled fields, and the given values.
    #[track_caller]
    pub fn and_submit<const N: usize>(&self, typed: [(&str, &str); N]) -> Seen {
        let forms: Vec<&str> = self.body.split("<form ").skip(1).collect();
        // The first form in the main part of the page; the header has one to sign out.
        let form = forms
            .iter()
            .find(|form| {
                let own = form.split("</form>").next().unwrap();
                typed.iter().all(|(name, _)| own.contains(&format!("name=\"{name}\"")))
                    && !own.contains("/logout\"")
            })
            .unwrap_or_else(|| panic!("{} has no such form:\n{}", self.path, self.body));
        let form = form.split("</form>").next().unwrap();
        let opening = form.split('>').next().unwrap();
        assert!(opening.contains("method=\"post\""), "a form that changes something posts");
        let action = between(opening, "action=\"", "\"").unwrap_or(&self.path);
        let mut fields: Vec<(String, String)> = Vec::new();
        for input in form.split("<input ").skip(1) {
            let input = input.split('>').next().unwrap();
            let Some(name) = between(input, "name=\"", "\"") else { continue };
            let ticked = !input.contains("type=\"checkbox\"") || input.contains(" checked");
            let value = between(input, "value=\"", "\"").map(unescaped).unwrap_or_default();
            if ticked {
                fields.push((name.to_owned(), value));
            }
        }
        for (name, value) in typed {
            fields.retain(|(field, _)| field != name);
            fields.push((name.to_owned(), value.to_owned()));
        }
        self.browser.post_form(action, &fields)
    }
}

/// A field as a person sees it.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    pub value: String,
    /// The message beside it.
    pub error: Option<String>,
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

fn unescaped(html: &str) -> String {
    [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
        .iter()
        .fold(html.to_owned(), |text, (escape, c)| text.replace(escape, c))
}
