//! Chromium by the `WebDriver` protocol (W3C).

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// What the protocol calls an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// What it calls the key.
const ENTER: &str = "\u{e007}";

/// One window of a browser of its own.
pub(crate) struct Driver {
    client: Client,
    process: Child,
    session: String,
    profile: TempDir,
}

impl Driver {
    /// `None` where there is no browser.
    pub(crate) async fn start() -> anyhow::Result<Option<Self>> {
        if !exists("chromium").await || !exists("chromedriver").await {
            return Ok(None);
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("chromedriver")?;
        let profile = tempfile::tempdir()?;
        let mut driver = Self {
            client: Client::new(),
            process,
            session: format!("http://127.0.0.1:{port}"),
            profile,
        };
        driver.begin().await?;
        Ok(Some(driver))
    }

    async fn begin(&mut self) -> anyhow::Result<()> {
        let ready = async {
            while self
                .ask(Method::GET, "/status", &Value::Null)
                .await
                .is_err()
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), ready).await?;
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", profile,
            ] },
        } } });
        let begun = self.ask(Method::POST, "/session", &capabilities).await?;
        let id = begun["sessionId"].as_str().context("no session")?;
        self.session = format!("{}/session/{id}", self.session);
        Ok(())
    }

    /// Closes the window, and ends both processes.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        self.ask(Method::DELETE, "", &Value::Null).await?;
        self.process.kill().await?;
        Ok(())
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self
            .client
            .request(method, format!("{}{path}", self.session));
        let request = if body.is_null() {
            request
        } else {
            request.json(body)
        };
        let answer = request.send().await?;
        let (status, told) = (answer.status(), answer.json::<Value>().await?);
        ensure!(status.is_success(), "{path}: {}", told["value"]["message"]);
        Ok(told["value"].clone())
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, &body).await
    }

    pub(crate) async fn open(&self, url: &str) -> anyhow::Result<()> {
        self.post("/url", json!({ "url": url })).await?;
        Ok(())
    }

    /// What a script returns.
    pub(crate) async fn run(&self, script: &str) -> anyhow::Result<Value> {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
            .await
    }

    /// Makes the page so large.
    pub(crate) async fn resize(&self, width: u32, height: u32) -> anyhow::Result<()> {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": metrics });
        self.post("/goog/cdp/execute", command).await?;
        Ok(())
    }

    async fn element(&self, selector: &str) -> anyhow::Result<String> {
        let found = self
            .post(
                "/element",
                json!({ "using": "css selector", "value": selector }),
            )
            .await?;
        let Some(id) = found[ELEMENT].as_str() else {
            bail!("no element `{selector}`");
        };
        Ok(id.to_owned())
    }

    /// As with a mouse: what is covered or hidden cannot be clicked.
    pub(crate) async fn click(&self, selector: &str) -> anyhow::Result<()> {
        let element = self.element(selector).await?;
        self.post(&format!("/element/{element}/click"), json!({}))
            .await?;
        Ok(())
    }

    /// As with a mouse that is held down for so long.
    pub(crate) async fn hold(&self, selector: &str, long: Duration) -> anyhow::Result<()> {
        let centre =
            format!("document.querySelector('{selector}').scrollIntoView({{block: 'center'}})");
        self.run(&centre).await?;
        let element = self.element(selector).await?;
        let milliseconds = u64::try_from(long.as_millis())?;
        let actions = json!([
            { "type": "pointerMove", "duration": 0, "origin": { ELEMENT: element }, "x": 0, "y": 0 },
            { "type": "pointerDown", "button": 0 },
            { "type": "pause", "duration": milliseconds },
            { "type": "pointerUp", "button": 0 },
        ]);
        let mouse = json!({ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": actions });
        self.post("/actions", json!({ "actions": [mouse] })).await?;
        Ok(())
    }

    pub(crate) async fn press_enter(&self, selector: &str) -> anyhow::Result<()> {
        let element = self.element(selector).await?;
        self.post(
            &format!("/element/{element}/value"),
            json!({ "text": ENTER }),
        )
        .await?;
        Ok(())
    }

    /// Writes this in the place of what stood there.
    pub(crate) async fn write(&self, selector: &str, text: &str) -> anyhow::Result<()> {
        let element = self.element(selector).await?;
        self.post(&format!("/element/{element}/clear"), json!({}))
            .await?;
        self.post(
            &format!("/element/{element}/value"),
            json!({ "text": text }),
        )
        .await?;
        Ok(())
    }

    /// What the console has told of as an error since it was asked last.
    pub(crate) async fn console_errors(&self) -> anyhow::Result<Vec<String>> {
        let entries = self.post("/se/log", json!({ "type": "browser" })).await?;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        Ok(severe.map(|entry| entry["message"].to_string()).collect())
    }

    /// The window as a PNG.
    pub(crate) async fn picture(&self) -> anyhow::Result<Vec<u8>> {
        let taken = self.ask(Method::GET, "/screenshot", &Value::Null).await?;
        Ok(BASE64_STANDARD.decode(taken.as_str().unwrap_or_default())?)
    }
}

async fn exists(program: &str) -> bool {
    let asked = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.await.is_ok_and(|status| status.success())
}
