//! The page, as a browser shows it: accounts, the highest token of each, and refusals as they happen, light and dark, wide
//! and narrow.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "../../../tests/support/browser.rs"]
#[expect(unreachable_pub, reason = "as the other helpers")]
mod browser;
mod stage;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};
use browser::browser;
use ledger::Overview;
use ledger::servers::{Servers, eventually};
use redfence::{FencingToken, Resource};
use redfence_http::{FENCING_TOKEN, Presented};
use reqwest::{Client, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stage::LIMIT;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{block_in_place, spawn_blocking};

/// What the frame around the page finds in it.
const PROBE: &str = include_str!("probe.html");

#[derive(Clone, Deserialize, Serialize, Debug, PartialEq)]
struct Seen {
    accounts: usize,
    tokens: Vec<String>,
    refused: Vec<String>,
    sum: String,
    right: bool,
    paper: String,
    ink: String,
    /// How wide the page is, and how wide its window.
    width: u32,
    window: u32,
    /// Requests that went elsewhere.
    foreign: usize,
}

#[derive(Default)]
struct Frame {
    /// The picture is taken when the page shows what it has to.
    shown: Notify,
    seen: std::sync::Mutex<Option<Seen>>,
}

struct Site {
    url: String,
    frame: Arc<Frame>,
    client: Client,
    fenced: bool,
    _servers: Servers,
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_tokens_and_refusals_are_shown_as_they_happen() {
    let site = Site::set(true).await;
    let folder = tempfile::tempdir().unwrap();
    let looking = site.look(folder.path(), 1280, true, "refused >= 2");
    // The browser is there before anything happens.
    site.money_is_moved(7).await;
    site.stale_requests_are_refused(7).await;
    let seen = looking.await;
    assert_eq!(seen.accounts, 8);
    assert_eq!((seen.sum.as_str(), seen.right), ("8,000", true));
    assert_eq!(seen.tokens.iter().filter(|token| *token == "7").count(), 2, "{seen:?}");
    assert_eq!(seen.tokens.iter().filter(|token| *token == "none").count(), 6, "{seen:?}");
    assert!(seen.refused[0].contains("late 1 came too late to write ada"), "the last one stands first: {seen:?}");
    assert!(seen.refused[0].contains("presented 3, the account has seen 7"), "{seen:?}");
    assert!(seen.refused[1].contains("late 1 came too late to read, and so to claim ada"), "{seen:?}");
    assert_eq!(seen.foreign, 0, "the page asks for nothing from elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn light_and_dark_and_both_widths_are_legible() {
    let site = Site::set(true).await;
    // As long as real tokens are.
    site.money_is_moved(1_882_557_276_749_825).await;
    site.stale_requests_are_refused(1_882_557_276_749_825).await;
    let folder = tempfile::tempdir().unwrap();
    for width in [1280, 400] {
        for (light, colours) in
            [(true, ("rgb(251, 250, 247)", "rgb(29, 29, 31)")), (false, ("rgb(22, 23, 26)", "rgb(236, 236, 238)"))]
        {
            let seen = site.look(folder.path(), width, light, "refused >= 2").await;
            assert_eq!((seen.paper.as_str(), seen.ink.as_str()), colours);
            assert_eq!((seen.window, seen.width), (width, width), "nothing is cut off, and nothing scrolls sideways");
            assert_eq!((seen.accounts, seen.refused.len()), (8, 2));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_fencing_the_page_says_so_and_a_wrong_sum_is_marked() {
    let site = Site::set(false).await;
    let stale = |account: &'static str| site.claim(account, 3, "late 1");
    // Two read, the later holder writes, and the older one overwrites it.
    assert_eq!(stale("ada").await, StatusCode::OK);
    assert_eq!(site.transfer(("ada", 7, 990), ("ben", 7, 1010), "writer 1").await, StatusCode::NO_CONTENT);
    assert_eq!(site.transfer(("ada", 3, 990), ("cleo", 3, 1010), "late 1").await, StatusCode::NO_CONTENT);
    let folder = tempfile::tempdir().unwrap();
    let seen = site.look(folder.path(), 1280, true, "accounts == 8").await;
    assert_eq!((seen.sum.as_str(), seen.right, seen.refused.len()), ("8,010", false, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_token_or_with_a_token_of_another_account_write_nothing() {
    let site = Site::set(true).await;
    let before = site.overview().await;
    let path = format!("{}/accounts/ada/transfers", site.url);
    let body = json!({ "amount": 1, "balance": 999, "to": { "account": "ben", "balance": 1001, "token": "7" } });
    let answer = site.client.post(&path).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PRECONDITION_REQUIRED);
    let of_ben = Presented::new(Resource::new("accounts/ben").unwrap(), FencingToken::new(7).unwrap());
    let answer = site.client.post(&path).header(FENCING_TOKEN, of_ben.to_header()).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(site.transfer(("ada", 7, 999), ("ada", 7, 1001), "w").await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(site.transfer(("ada", 7, 999), ("nobody", 7, 1001), "w").await, StatusCode::NOT_FOUND);
    assert_eq!(site.claim("nobody", 7, "w").await, StatusCode::NOT_FOUND);
    assert_eq!(site.overview().await, before);
}

impl Site {
    /// The ledger in this process, with a frame that looks at its page.
    async fn set(fenced: bool) -> Self {
        let servers = block_in_place(|| Servers::start(0));
        let router = ledger::server::router(servers.database.url().parse().unwrap(), fenced).await.unwrap();
        let frame = Arc::new(Frame::default());
        let around = Router::new()
            .route(
                "/frame",
                get(async |Query(wanted): Query<Value>| Html(PROBE.replace("WANTED", &wanted.to_string()))),
            )
            .route("/shown", get(shown))
            .route("/seen", post(seen))
            .with_state(Arc::clone(&frame));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(ledger::server::serve(listener, router.merge(around), std::future::pending()));
        Self { url, frame, client: Client::builder().no_proxy().build().unwrap(), fenced, _servers: servers }
    }

    async fn overview(&self) -> Overview {
        self.client.get(format!("{}/accounts", self.url)).send().await.unwrap().json().await.unwrap()
    }

    async fn claim(&self, account: &str, token: u64, writer: &str) -> StatusCode {
        let request = self.client.get(format!("{}/accounts/{account}", self.url));
        let request = request.header(FENCING_TOKEN, header(account, token)).header("user-agent", writer);
        request.send().await.unwrap().status()
    }

    /// Account, token, and the balance that is written.
    async fn transfer(&self, from: (&str, u64, i64), to: (&str, u64, i64), writer: &str) -> StatusCode {
        let to = json!({ "account": to.0, "balance": to.2, "token": to.1.to_string() });
        let request = self.client.post(format!("{}/accounts/{}/transfers", self.url, from.0));
        let request = request.header(FENCING_TOKEN, header(from.0, from.1)).header("user-agent", writer);
        request.json(&json!({ "amount": 10, "balance": from.2, "to": to })).send().await.unwrap().status()
    }

    async fn money_is_moved(&self, token: u64) {
        assert_eq!(self.claim("ada", token, "writer 1").await, StatusCode::OK);
        assert_eq!(self.claim("ben", token, "writer 1").await, StatusCode::OK);
        let moved = self.transfer(("ada", token, 990), ("ben", token, 1010), "writer 1").await;
        assert_eq!(moved, StatusCode::NO_CONTENT);
    }

    async fn stale_requests_are_refused(&self, seen: u64) {
        assert!(seen > 3);
        assert_eq!(self.claim("ada", 3, "late 1").await, StatusCode::PRECONDITION_FAILED);
        let late = self.transfer(("ada", 3, 1000), ("cleo", 3, 1000), "late 1").await;
        assert_eq!(late, StatusCode::PRECONDITION_FAILED);
        let overview = self.overview().await;
        assert_eq!((overview.sum, overview.refused), (overview.expected, 2));
    }

    /// Opens the page in a browser, waits until it shows what is wanted, and takes a picture.
    fn look(&self, folder: &Path, width: u32, light: bool, wanted: &str) -> impl Future<Output = Seen> + use<> {
        *self.frame.seen.lock().unwrap() = None;
        let scheme = if light { "light" } else { "dark" };
        // LEDGER_PICTURES names a folder, to look at the page oneself.
        let pictures = std::env::var_os("LEDGER_PICTURES").map_or_else(|| folder.to_owned(), PathBuf::from);
        let mode = if self.fenced { "fenced" } else { "unfenced" };
        let picture = pictures.join(format!("{mode}-{width}-{scheme}.png"));
        let url = format!("{}/frame?width={width}&wanted={}", self.url, wanted.replace(' ', "+").replace('>', "%3E"));
        let mut browser = Command::new(browser());
        let quiet = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars \
                     --disable-background-networking --disable-component-update --disable-sync";
        let profile = tempfile::tempdir_in(folder).unwrap();
        browser.args(quiet.split_whitespace()).arg(format!("--user-data-dir={}", profile.path().display()));
        // A window is never narrower than 500 pixels; the frame in it is.
        browser.arg(format!("--window-size={},{}", width.max(500), if width < 500 { 1250 } else { 760 }));
        browser.arg(format!("--blink-settings=preferredColorScheme={}", u8::from(light)));
        browser.arg(format!("--screenshot={}", picture.display())).arg(url);
        let frame = Arc::clone(&self.frame);
        let taken = spawn_blocking(move || {
            let output = browser.output().unwrap();
            drop(profile);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(std::fs::read(picture).unwrap().starts_with(b"\x89PNG"));
        });
        async move {
            eventually(LIMIT, "the page shows it", async || {
                frame.seen.lock().unwrap().is_some() || taken.is_finished()
            })
            .await;
            tokio::time::timeout(LIMIT, taken).await.expect("a picture").unwrap();
            frame.seen.lock().unwrap().take().expect("the page shows it")
        }
    }
}

/// The browser takes its picture when everything is loaded, and this is loaded when the page shows what it has to.
async fn shown(State(frame): State<Arc<Frame>>) {
    let _ = tokio::time::timeout(LIMIT + Duration::from_secs(1), frame.shown.notified()).await;
}

async fn seen(State(frame): State<Arc<Frame>>, Json(seen): Json<Seen>) {
    *frame.seen.lock().unwrap() = Some(seen);
    frame.shown.notify_one();
}

fn header(account: &str, token: u64) -> axum::http::HeaderValue {
    let resource = Resource::new(format!("accounts/{account}")).unwrap();
    Presented::new(resource, FencingToken::new(token).unwrap()).to_header()
}
