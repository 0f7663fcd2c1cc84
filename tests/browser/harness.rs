//! A service and a browser for one test: the real binary on a port of its own, and Debian's Chromium driven by its
//! `ChromeDriver`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::elements::{Element, ElementRef};
use fantoccini::error::CmdError;
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

pub const PASSWORD: &str = "seven purple lanterns";
pub const NEW_PASSWORD: &str = "a quiet morning tide";

/// How the user views the pages.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is on or off")]
pub struct Look {
    pub scripts: bool,
    pub dark: bool,
    /// A phone of 360 CSS pixels; otherwise a window of 1,100.
    pub phone: bool,
    /// Firefox instead of Chromium.
    pub firefox: bool,
}

/// A browser in front of a service. Ends both when dropped.
pub struct Journey {
    pub page: Client,
    look: Look,
    pub origin: String,
    folder: TempDir,
    _processes: [Process; 2],
    _turn: MutexGuard<'static, ()>,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// With two cores, one browser at a time is fastest.
static TURN: Mutex<()> = Mutex::const_new(());

impl Journey {
    /// Returns `None`, with a message, if there is no browser; in CI that is a failure.
    pub async fn begin(look: Look) -> Option<Self> {
        Self::begin_with(look, &[]).await
    }

    /// With other settings.
    pub async fn begin_with(look: Look, settings: &[(&str, &str)]) -> Option<Self> {
        let found = |name: &str| {
            std::env::split_paths(&std::env::var_os("PATH")?)
                .map(|p| p.join(name))
                .find(|p| p.exists())
        };
        let [driver, browser] = if look.firefox {
            ["geckodriver", "firefox-esr"]
        } else {
            ["chromedriver", "chromium"]
        };
        let (Some(driver), Some(_)) = (found(driver), found(browser)) else {
            assert!(std::env::var_os("CI").is_none(), "{browser} and {driver} must be there in CI");
            let _ = writeln!(
                std::io::stderr(),
                "\nSKIPPED: nothing was tested in {browser}. Install it and {driver} to do so.\n"
            );
            return None;
        };
        let turn = TURN.lock().await;
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut service = Command::new(binary());
        service
            .current_dir(folder.path())
            .env("ROCKET_PORT", port.to_string())
            .env("VESTIBULE_PASSWORD__COST", "4")
            .envs(settings.iter().copied())
            .stderr(Stdio::piped());
        let (service, ()) =
            started(&mut service, |line| line.contains("listening on").then_some(()))
                .expect("the service says that it is ready");
        let mut command = Command::new(driver);
        command.arg("--port=0").stdout(Stdio::piped()).env("HOME", folder.path());
        // "… started successfully on port 4444." or "… Listening on 127.0.0.1:4444".
        let is_ready = |line: &str| {
            let is_ready =
                line.contains("started successfully on") || line.contains("Listening on");
            let port = line.trim_end_matches('.').rsplit([' ', ':']).next()?;
            port.parse::<u16>().ok().filter(|_| is_ready)
        };
        // chromedriver takes a free port of IPv4, which may be in use with IPv6: then it ends, and another is free.
        let (driver, driver_port) = (0..5)
            .find_map(|_| started(&mut command, is_ready))
            .expect("the driver says that it is ready");
        let mut builder =
            ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(capabilities(look, folder.path()));
        let page = builder.connect(&format!("http://127.0.0.1:{driver_port}")).await.unwrap();
        if !look.scripts {
            let off = json!({ "value": true });
            page.issue_cmd(Chromium("Emulation.setScriptExecutionDisabled", off)).await.unwrap();
            let proof = "data:text/html,<p>off</p><script>document.querySelector('p').textContent='on'</script>";
            page.goto(proof).await.unwrap();
            let shown = page.find(Locator::Css("p")).await.unwrap().text().await.unwrap();
            assert_eq!(shown, "off");
        }
        let origin = format!("http://localhost:{port}");
        Some(Self { page, look, origin, folder, _processes: [service, driver], _turn: turn })
    }

    /// Opens a page.
    pub async fn visit(&self, path: &str) {
        self.page.goto(&format!("{}{path}", self.origin)).await.unwrap();
    }

    /// Types into the field of this name, replacing its value.
    pub async fn type_into(&self, name: &str, text: &str) {
        let field = self.find(&format!("main [name={name}]")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses the button or link with this `text`, and waits for the next page.
    pub async fn press(&self, text: &str) {
        let path = format!("//main//*[self::button or self::a][normalize-space()='{text}']");
        let button = self.page.find(Locator::XPath(&path)).await;
        let button = button.unwrap_or_else(|_| panic!("nothing to press reads {text:?}"));
        self.click(button).await;
    }

    /// Presses the button with this `text` twice, before the first click has an effect.
    pub async fn press_twice(&self, text: &str) {
        let before = self.page_id().await.unwrap();
        let buttons = "for (const b of document.querySelectorAll('main button'))
                           if (b.textContent.trim() === arguments[0]) { b.click(); b.click(); }";
        self.page.execute(buttons, vec![json!(text)]).await.unwrap();
        self.waits_for_another_than(before).await;
    }

    /// Asserts that the page shows no signed-in user.
    pub async fn shows_nobody(&self) {
        self.says("Sign in").await;
        let body = self.find("html").await.html(false).await.unwrap();
        assert!(!body.contains("ada@example.com") && !body.contains("Sign out"), "{body}");
    }

    async fn page_id(&self) -> Result<ElementRef, CmdError> {
        self.page.find(Locator::Css("html")).await.map(|e| e.element_id())
    }

    /// Clicks a link to another page, and waits for it.
    pub async fn click(&self, button: Element) {
        let before = self.page_id().await.unwrap();
        button.click().await.unwrap();
        self.waits_for_another_than(before).await;
    }

    async fn waits_for_another_than(&self, before: ElementRef) {
        for _ in 0..400 {
            if self.page_id().await.is_ok_and(|after| after != before) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the click led nowhere");
    }

    pub async fn find(&self, selector: &str) -> Element {
        let found = self.page.find(Locator::Css(selector)).await;
        found.unwrap_or_else(|_| panic!("{selector} is not on the page"))
    }

    pub async fn says(&self, text: &str) {
        let body = self.find("body").await.text().await.unwrap();
        assert!(body.contains(text), "the page does not say {text:?}:\n{body}");
    }

    pub async fn does_not_say(&self, text: &str) {
        let body = self.find("body").await.text().await.unwrap();
        assert!(!body.contains(text), "the page says {text:?}:\n{body}");
    }

    pub async fn is_at(&self, path: &str) {
        assert_eq!(
            self.page.current_url().await.unwrap().as_str(),
            format!("{}{path}", self.origin)
        );
    }

    /// The path of the link in the newest email with a link to `page`.
    pub async fn link(&self, page: &str) -> String {
        let marker = format!("{}{page}/", self.origin);
        for _ in 0..200 {
            let mut files: Vec<PathBuf> = fs::read_dir(self.folder.path().join("data/mail"))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|end| end == "eml"))
                .collect();
            // File names are UUIDv7: the newest sorts last.
            files.sort();
            for file in files.iter().rev() {
                let text = fs::read_to_string(file).unwrap().replace("=\r\n", "");
                if let Some((_, rest)) = text.split_once(&marker) {
                    let secret = rest.split_whitespace().next().unwrap();
                    return format!("{page}/{secret}");
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no email with a link to {page}");
    }

    /// Presses the link with this `text`, and reads the file that it downloads.
    pub async fn download(&self, text: &str, file: &str) -> String {
        let folder = self.folder.path();
        let there = json!({ "behavior": "allow", "downloadPath": folder });
        self.emulate("Browser.setDownloadBehavior", there).await;
        let link = self.page.find(Locator::LinkText(text)).await.unwrap();
        link.click().await.unwrap();
        // It gets its name when it is complete.
        for _ in 0..100 {
            if let Ok(content) = fs::read_to_string(folder.join(file)) {
                return content;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{file} was not downloaded");
    }

    /// Lets an hour pass since the last sign-in, in the database: a browser's clock cannot be moved on.
    pub async fn signed_in_long_ago(&self) {
        let earlier = "UPDATE vestibule_sessions SET authenticated_at = authenticated_at - 3600000";
        self.change_a_row(earlier, "").await;
    }

    /// Invites somebody, as the operator of another node does.
    pub async fn invite(&self, email: &str) {
        let waiting = "INSERT INTO vestibule_outbox \
                       (id, message, recipient, payload, device, ip, attempts, created_at, due_at) \
                       VALUES (randomblob(16), 'invitation', $1, $1, 'unknown/unknown', '::', 0, \
                       unixepoch() * 1000, unixepoch() * 1000)";
        self.change_a_row(waiting, email).await;
    }

    async fn change_a_row(&self, sql: &'static str, value: &str) {
        let file = self.folder.path().join("data/vestibule.sqlite3");
        let mut database =
            SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
        let mut query = sqlx::query(sql);
        if !value.is_empty() {
            query = query.bind(value);
        }
        assert_eq!(query.execute(&mut database).await.unwrap().rows_affected(), 1);
    }

    /// Checks the current page: nothing is wider than the screen, all controls are large enough, and axe-core finds
    /// nothing. Takes a screenshot.
    pub async fn look_at(&self, name: &str) {
        let look = self.look;
        if !look.scripts {
            // axe-core needs scripts; pages have none, so they look the same.
            return;
        }
        let file = format!(
            "{name}{}{}{}.png",
            if look.firefox { "-firefox" } else { "" },
            if look.phone { "-phone" } else { "" },
            if look.dark { "-dark" } else { "" }
        );
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/screenshots");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file), self.page.screenshot().await.unwrap()).unwrap();
        let too_wide =
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(self.run(too_wide).await, json!(0), "{name} is wider than the screen");
        let small = self
            .run(
                "return [...document.querySelectorAll('button, .button, nav a, input:not([type=hidden], [hidden], [type=checkbox])')]
                 .filter(e => e.getBoundingClientRect().height < 44).map(e => e.outerHTML)",
            )
            .await;
        assert_eq!(small, json!([]), "too small to press on {name}");
        self.run(include_str!("axe/axe.min.js")).await;
        let found = self
            .run(
                "return axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag2aaa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
                 .then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html + n.failureSummary)]))",
            )
            .await;
        assert_eq!(found, json!([]), "axe-core on {name}");
        if !look.firefox {
            self.console_is_clean(name).await;
        }
    }

    /// Asserts that the browser has blocked nothing and no script has reported an error.
    pub async fn console_is_clean(&self, name: &str) {
        let said = self.page.issue_cmd(ReadConsole).await.unwrap();
        let said: Vec<&Value> = said
            .as_array()
            .unwrap()
            .iter()
            // A 422 is expected on such a page.
            .filter(|entry| entry["source"] != "network")
            .collect();
        assert!(said.is_empty(), "{name}: {said:#?}");
    }

    /// Emulates a medium, or a screen, with Chromium's commands.
    pub async fn emulate(&self, command: &'static str, params: Value) {
        self.page.issue_cmd(Chromium(command, params)).await.unwrap();
    }

    /// Types on the keyboard, wherever the focus is.
    pub async fn keys(&self, keys: &str) {
        self.page.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// Presses Tab until the element with the focus is named, or reads, `text`, as a keyboard user does.
    pub async fn tab_to(&self, text: &str) {
        let here = "const e = document.activeElement; return e.name || e.textContent.trim()";
        for _ in 0..30 {
            self.keys(&Key::Tab.to_string()).await;
            if self.run(here).await == json!(text) {
                return;
            }
        }
        panic!("no {text:?} is reached by the Tab key");
    }

    /// Presses Enter, and waits for the next page.
    pub async fn enter(&self) {
        let before = self.page_id().await.unwrap();
        self.keys(&Key::Enter.to_string()).await;
        self.waits_for_another_than(before).await;
    }

    /// Asserts that nothing is wider than the screen, or cut off.
    pub async fn fits(&self, name: &str) {
        let outside = self
            .run(
                "const wide = document.documentElement.clientWidth;
                 return [...document.querySelectorAll('body *:not(.unseen):not(.skip)')].filter(e => {
                     const box = e.getBoundingClientRect();
                     return box.width > 0 && (box.right > wide + 1 || box.left < -1
                         || (getComputedStyle(e).overflow !== 'visible' && e.scrollWidth > e.clientWidth + 1
                             && e.tagName !== 'INPUT'));
                 }).map(e => e.outerHTML.slice(0, 200))",
            )
            .await;
        assert_eq!(outside, json!([]), "{name}: does not fit");
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str) -> Value {
        self.page.execute(script, Vec::new()).await.unwrap()
    }
}

/// A command of Chromium (the Chrome `DevTools` Protocol).
#[derive(Debug)]
struct Chromium(&'static str, Value);

impl WebDriverCompatibleCommand for Chromium {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({ "cmd": self.0, "params": self.1 });
        (http::Method::POST, Some(body.to_string()))
    }
}

/// The console messages since the last read.
#[derive(Debug)]
struct ReadConsole;

impl WebDriverCompatibleCommand for ReadConsole {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}

/// The binary under test, built beside this test.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("vestibule");
    assert!(path.exists(), "{} is missing: `cargo build` makes it", path.display());
    path
}

/// Starts a program and waits for the line of output that says it is ready; `None` if it ends without one.
fn started<T>(command: &mut Command, ready: impl Fn(&str) -> Option<T>) -> Option<(Process, T)> {
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let output: Box<dyn std::io::Read + Send> = match child.stdout.take() {
        Some(output) => Box::new(output),
        None => Box::new(child.stderr.take().unwrap()),
    };
    let process = Process(child);
    let mut lines = BufReader::new(output).lines();
    let found = lines.by_ref().map_while(Result::ok).find_map(|line| ready(&line));
    // Keep reading, or the program blocks on its full pipe.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    Some((process, found?))
}

fn capabilities(look: Look, folder: &Path) -> serde_json::Map<String, Value> {
    if look.firefox {
        let options = json!({ "args": ["-headless", "--width=1100", "--height=900"] });
        return [("moz:firefoxOptions".to_owned(), options)].into_iter().collect();
    }
    let mut args = vec![
        "--headless".to_owned(),
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--hide-scrollbars".to_owned(),
        "--window-size=1100,900".to_owned(),
        format!("--user-data-dir={}", folder.join("browser").display()),
    ];
    if look.dark {
        args.push("--blink-settings=preferredColorScheme=0".to_owned());
    }
    let mut options = json!({
        "args": args,
        "prefs": {
            "credentials_enable_service": false,
            "profile.password_manager_leak_detection": false,
        },
    });
    if look.phone {
        options["mobileEmulation"] = json!({ "deviceMetrics": { "width": 360, "height": 740, "pixelRatio": 2.0, "touch": true } });
    }
    let wanted =
        json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
    let Value::Object(map) = wanted else { unreachable!() };
    map
}
