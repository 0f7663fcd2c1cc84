//! Whether a response is one that the document of the API describes. Every response of every story is looked at.

use std::collections::HashMap;

use boon::{Compiler, Schemas};
use rocket::serde::json::Value;

/// The document of a service.
pub struct Described {
    document: Value,
    schemas: std::cell::RefCell<Known>,
}

/// The schemas that were needed so far, by their place in the document.
struct Known {
    compiler: Compiler,
    schemas: Schemas,
    by_place: HashMap<String, boon::SchemaIndex>,
}

const HERE: &str = "http://localhost/openapi.json";

impl Described {
    pub fn new(text: &str) -> Self {
        let document: Value = rocket::serde::json::from_str(text).unwrap();
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource(HERE, document.clone()).unwrap();
        let known = Known { compiler, schemas: Schemas::new(), by_place: HashMap::new() };
        Self { document, schemas: known.into() }
    }

    /// Asserts that the operation may answer this. What is no operation is not looked at.
    pub fn has(
        &self,
        method: &str,
        path: &str,
        status: u16,
        headers: &[(String, String)],
        body: &str,
    ) {
        let Some(template) = self.template(path) else { return };
        let method = method.to_lowercase();
        let Some(operation) = self.document["paths"][&template].get(&method) else { return };
        let header = |name: &str| {
            headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
        };
        let media = header("content-type").unwrap_or_default().split(';').next().unwrap();
        // The document is about what programs get.
        if media == "text/html" {
            return;
        }
        let what = format!("{method} {path}: {status} {media} {body}");
        let escaped = template.replace('~', "~0").replace('/', "~1");
        let mut place = format!("/paths/{escaped}/{method}/responses/{status}");
        let mut response = &operation["responses"][status.to_string()];
        if let Some(at) = response["$ref"].as_str() {
            place = at.trim_start_matches('#').to_owned();
            response = self.document.pointer(&place).unwrap();
        }
        assert!(response.is_object(), "the document does not have {what}");
        if response["headers"].get("Retry-After").is_some()
            && let Some(seconds) = header("retry-after")
        {
            assert!(seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0), "{what}");
        }
        let Some(contents) = response["content"].as_object() else { return };
        assert!(contents.contains_key(media), "the document has another type for {what}");
        if !media.ends_with("json") {
            return;
        }
        let media = media.replace('/', "~1");
        let place = format!("{HERE}#{place}/content/{media}/schema");
        let body: Value = rocket::serde::json::from_str(body).unwrap_or_else(|_| panic!("{what}"));
        let Known { compiler, schemas, by_place } = &mut *self.schemas.borrow_mut();
        let index = *by_place.entry(place).or_insert_with_key(|place| {
            compiler.compile(place, schemas).unwrap_or_else(|error| panic!("{place}: {error:#}"))
        });
        if let Err(error) = schemas.validate(&body, index) {
            panic!("{what} is not as described: {error:#}");
        }
    }

    /// The path of the document that fits.
    fn template(&self, path: &str) -> Option<String> {
        let path = path.split('?').next().unwrap();
        let fits = |template: &str| {
            template == path
                || template.split_once('{').is_some_and(|(before, _)| {
                    path.strip_prefix(before).is_some_and(|id| !id.is_empty() && !id.contains('/'))
                })
        };
        self.document["paths"].as_object()?.keys().find(|template| fits(template)).cloned()
    }
}
