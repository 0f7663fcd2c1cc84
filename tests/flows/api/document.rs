//! The document at `/api/v1/openapi.json`, and `docs/api.md`, which is made from it. The harness compares every response
//! of every story with it.

use std::collections::BTreeSet;
use std::fmt::Write;

use rocket::http::Method::Get;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{Array, ArrayItems, Object, Schema, SchemaType, Type};
use utoipa::openapi::{Components, OpenApi, Ref, RefOr, Required, Response};

use crate::harness::TestApp;

const FIRST_LINE: &str = "<!-- Made from /api/v1/openapi.json by tests/flows/api/document.rs: \
                          UPDATE_SNAPSHOTS=1 cargo test. The texts are in src/web/openapi/ and in the handlers. -->";

fn document(app: &TestApp) -> OpenApi {
    let seen = app.ask(Get, "/api/v1/openapi.json").is(200);
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("cache-control"), Some("no-cache"));
    rocket::serde::json::from_str(&seen.body).unwrap()
}

/// The operations with their methods and paths, in the order of the document.
fn operations(document: &OpenApi) -> Vec<(&'static str, &str, &Operation)> {
    let paths = document.paths.paths.iter();
    let all = paths.flat_map(|(path, item)| {
        let methods = [
            ("GET", &item.get),
            ("POST", &item.post),
            ("PUT", &item.put),
            ("PATCH", &item.patch),
            ("DELETE", &item.delete),
        ];
        methods.into_iter().filter_map(|(method, found)| {
            found.as_ref().map(|operation| (method, path.as_str(), operation))
        })
    });
    all.collect()
}

#[test]
fn every_operation_can_be_told_apart_and_has_a_group() {
    let document = document(&TestApp::new());
    let tags: Vec<_> = document.tags.iter().flatten().map(|tag| &tag.name).collect();
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        assert!(names.insert(&operation.operation_id), "{method} {path}");
        assert!(operation.summary.is_some(), "{method} {path}");
        let group = operation.tags.iter().flatten().next().unwrap();
        assert!(tags.contains(&group), "{group}");
        let is_old = group == "Older clients";
        assert_eq!(operation.deprecated.is_some(), is_old, "{method} {path}");
    }
}

#[test]
fn the_document_of_a_host_app_says_where_it_is_and_has_no_older_clients() {
    let app = TestApp::start(
        |figment| figment,
        |figment| rocket::custom(figment).attach(vestibule::stage().at("/accounts")),
    );
    let seen = app.ask(Get, "/accounts/api/v1/openapi.json").is(200);
    let document: OpenApi = rocket::serde::json::from_str(&seen.body).unwrap();
    assert_eq!(document.servers.unwrap()[0].url, "/accounts");
    assert!(document.paths.paths.contains_key("/api/v1/session"));
    assert!(!document.paths.paths.contains_key("/users"));
    assert!(document.tags.unwrap().iter().all(|tag| tag.name != "Older clients"));
    assert!(seen.body.contains("\"name\":\"vestibule_session\""));
}

#[test]
fn the_page_about_the_api_is_made_from_the_document() {
    let made = page(&document(&TestApp::new()));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(made == written, "docs/api.md is stale: UPDATE_SNAPSHOTS=1 cargo test");
}

fn page(document: &OpenApi) -> String {
    let components = document.components.as_ref().unwrap();
    let introduction = document.info.description.as_deref().unwrap().trim_end();
    // The headings of the document are below that of the page.
    let introduction = introduction.replace("\n### ", "\n## ");
    let mut page = format!("{FIRST_LINE}\n# The API for programs\n\n{introduction}\n");
    let mut objects = Vec::new();
    for tag in document.tags.iter().flatten() {
        let text = tag.description.as_deref().unwrap_or_default();
        let _ = write!(page, "\n## {}\n\n{text}\n", tag.name);
        for (method, path, operation) in operations(document) {
            if operation.tags.iter().flatten().any(|name| *name == tag.name) {
                page += &section(method, path, operation, components, &mut objects);
            }
        }
    }
    page += "\n## Objects\n\nThe members of the objects in responses. All are always there, unless a question mark says \
             otherwise.\n";
    let mut next = 0;
    while let Some(name) = objects.get(next).cloned() {
        let _ = write!(page, "\n### {name}\n\n");
        page += &object(&name, components, &mut objects);
        next += 1;
    }
    page
}

fn section(
    method: &str,
    path: &str,
    operation: &Operation,
    components: &Components,
    objects: &mut Vec<String>,
) -> String {
    let mut text = format!("\n### {}\n\n`{method} {path}`", operation.summary.as_deref().unwrap());
    match operation.security.as_deref() {
        None => {}
        Some([_]) => text += " – needs a session",
        Some(_) => text += " – with or without a session",
    }
    text += "\n";
    if let Some(description) = &operation.description {
        let _ = write!(text, "\n{description}\n");
    }
    let parameters =
        operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        });
    let mut rows = Vec::new();
    for parameter in parameters {
        let about = parameter.description.clone().unwrap_or_default();
        let schema = parameter.schema.as_ref().unwrap();
        let is_required = parameter.required == Required::True;
        rows.push(row(&parameter.name, is_required, schema, &about, components, objects));
    }
    if let Some(RefOr::T(body)) = &operation.request_body {
        let Some(RefOr::T(content)) = body.content.get("application/json") else {
            panic!("{path}")
        };
        let Schema::Object(form) = resolve(content.schema.as_ref().unwrap(), components) else {
            panic!("{path}")
        };
        rows.extend(rows_of(form, components, objects));
    }
    if !rows.is_empty() {
        let _ = write!(text, "\n| Field | Type | Meaning |\n|---|---|---|\n{}", rows.concat());
    }
    text += "\n";
    for (status, response) in &operation.responses.responses {
        // What every request may be answered with is said once.
        if let RefOr::T(response) = response {
            text += &answer(status, response, components, objects);
        }
    }
    text
}

fn answer(
    status: &str,
    response: &Response,
    components: &Components,
    objects: &mut Vec<String>,
) -> String {
    let mut text = format!("- **{status}**");
    let content = response.content.iter().next();
    if let (Some((_, RefOr::T(content))), true) = (content, status.starts_with('2')) {
        let _ = write!(text, " {}", kind(content.schema.as_ref().unwrap(), components, objects));
    }
    let _ = write!(text, ": {}", response.description);
    if response.headers.contains_key("Set-Cookie") {
        text += ", and the cookie";
    }
    text + "\n"
}

fn object(name: &str, components: &Components, objects: &mut Vec<String>) -> String {
    let RefOr::T(schema) = &components.schemas[name] else { panic!("{name}") };
    let table = |rows: Vec<String>| {
        let rows = rows.concat();
        format!("| Member | Type | Meaning |\n|---|---|---|\n{rows}")
    };
    match schema {
        Schema::Object(object) => {
            let about = object.description.clone().unwrap_or_default();
            format!(
                "{}\n\n{}",
                about.replace('\n', " "),
                table(rows_of(object, components, objects))
            )
        }
        Schema::AllOf(all) => {
            let parts = all.items.iter().map(|part| resolve(part, components));
            let rows = parts.flat_map(|part| match part {
                Schema::Object(object) => rows_of(object, components, objects),
                _ => panic!("{name}"),
            });
            table(rows.collect())
        }
        Schema::OneOf(one) => {
            let about = one.description.clone().unwrap_or_default();
            let kinds: Vec<String> =
                one.items.iter().map(|item| kind(item, components, objects)).collect();
            format!("{about}\n\n{}\n", kinds.join(", or "))
        }
        _ => panic!("{name}"),
    }
}

fn rows_of(object: &Object, components: &Components, objects: &mut Vec<String>) -> Vec<String> {
    let rows = object.properties.iter().map(|(name, schema)| {
        let is_required = object.required.contains(name);
        row(name, is_required, schema, "", components, objects)
    });
    rows.collect()
}

fn row(
    name: &str,
    is_required: bool,
    schema: &RefOr<Schema>,
    about: &str,
    components: &Components,
    objects: &mut Vec<String>,
) -> String {
    let mark = if is_required { "" } else { "?" };
    let about = if about.is_empty() { said_of(schema, components) } else { about.to_owned() };
    let kind = kind(schema, components, objects);
    format!("| `{name}`{mark} | {kind} | {} |\n", about.replace('\n', " "))
}

/// What is said of a member: there, or where its type is described.
fn said_of(schema: &RefOr<Schema>, components: &Components) -> String {
    let own = match schema {
        RefOr::Ref(Ref { description, .. }) if !description.is_empty() => Some(description.clone()),
        RefOr::Ref(_) | RefOr::T(Schema::Object(_)) => match resolve(schema, components) {
            Schema::Object(object) => object.description.clone(),
            _ => None,
        },
        RefOr::T(Schema::OneOf(one)) => one.items.first().map(|item| said_of(item, components)),
        RefOr::T(Schema::Array(Array { description, .. })) => description.clone(),
        RefOr::T(_) => None,
    };
    own.unwrap_or_default()
}

/// A type, in words. Objects are described in a section of their own.
fn kind(schema: &RefOr<Schema>, components: &Components, objects: &mut Vec<String>) -> String {
    if let RefOr::Ref(Ref { ref_location, .. }) = schema {
        let name = ref_location.rsplit('/').next().unwrap();
        let is_plain = |schema: &Schema| match schema {
            Schema::Object(object) => object.schema_type != SchemaType::Type(Type::Object),
            _ => false,
        };
        if !is_plain(resolve(schema, components)) {
            if !objects.iter().any(|object| object == name) {
                objects.push(name.to_owned());
            }
            return format!("[{name}](#{})", name.to_lowercase());
        }
    }
    match resolve(schema, components) {
        Schema::Object(object) => plain(object),
        Schema::OneOf(one) => {
            let kinds: Vec<String> =
                one.items.iter().map(|item| kind(item, components, objects)).collect();
            kinds.join(" or ")
        }
        Schema::Array(Array { items: ArrayItems::RefOrSchema(items), .. }) => {
            format!("list of {}", kind(items, components, objects))
        }
        _ => "anything".to_owned(),
    }
}

fn plain(object: &Object) -> String {
    let named = |kind: &Type| match kind {
        Type::String => "text",
        Type::Boolean => "`true` or `false`",
        Type::Integer | Type::Number => "number",
        Type::Null => "`null`",
        Type::Object => "object",
        Type::Array => "list",
    };
    let format = object.format.as_ref();
    let format = format.map(|format| rocket::serde::json::to_string(format).unwrap());
    let mut text = match (&object.schema_type, format.as_deref().unwrap_or_default()) {
        (_, "\"date-time\"") => "time".to_owned(),
        (_, "\"uuid\"") => "UUID".to_owned(),
        (_, "\"idn-email\"") => "email address".to_owned(),
        (SchemaType::Type(kind), _) => named(kind).to_owned(),
        (SchemaType::Array(kinds), _) => kinds.iter().map(named).collect::<Vec<_>>().join(" or "),
        (SchemaType::AnyValue, _) => "anything".to_owned(),
    };
    match (object.min_length.filter(|least| *least > 1), object.max_length) {
        (Some(least), Some(most)) => {
            let _ = write!(text, ", {least} to {most} characters");
        }
        (None, Some(most)) => {
            let _ = write!(text, ", at most {most} characters");
        }
        _ => {}
    }
    if let Some(values) = &object.enum_values {
        let values: Vec<String> =
            values.iter().filter_map(|v| Some(format!("`{}`", v.as_str()?))).collect();
        text = values.join(", ");
    }
    text
}

fn resolve<'d>(schema: &'d RefOr<Schema>, components: &'d Components) -> &'d Schema {
    match schema {
        RefOr::T(schema) => schema,
        RefOr::Ref(Ref { ref_location, .. }) => {
            let name = ref_location.rsplit('/').next().unwrap();
            let Some(RefOr::T(schema)) = components.schemas.get(name) else { panic!("{name}") };
            schema
        }
    }
}
