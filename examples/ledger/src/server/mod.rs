//! The resource server: accounts over HTTP, and a page that shows them.
//!
//! | | |
//! |---|---|
//! | `GET /` | the page |
//! | `GET /accounts` | an [`Overview`], for people |
//! | `GET /events` | overviews and refusals as they happen |
//! | `GET /accounts/{name}` | a [`Balance`], and the claim of a holder: with `Fencing-Token` |
//! | `POST /accounts/{name}/transfers` | a [`Transfer`]: with `Fencing-Token` |

mod book;
mod events;
mod pool;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use redfence::{Resource, ResourceError};
use redfence_http::{Presented, Refusal, TokenLayer, TokenReader};
use redfence_tokio_postgres::Error;
use tokio::net::TcpListener;

use self::book::{Book, Failed, Write, second};
use self::events::Refusals;
use crate::account::{Balance, Overview, Transfer, What, resource};

/// The names of the accounts.
pub const ACCOUNTS: [&str; 8] = ["ada", "ben", "cleo", "dora", "emil", "fay", "gus", "hana"];
/// What is on each of them at first.
pub const OPENED_WITH: i64 = 1_000;

/// The page must not ask for anything from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";

struct Ledger {
    book: Book,
    refusals: Refusals,
}

/// The ledger's routes over a database, whose accounts are opened if there are none. With `fenced` false tokens are read
/// and not compared: to see what becomes of the money then.
///
/// # Errors
///
/// The database cannot be reached, or refuses.
pub async fn router(database: tokio_postgres::Config, fenced: bool) -> Result<Router, Error> {
    let book = Book::open(database, fenced, &ACCOUNTS, OPENED_WITH).await?;
    // The route names the account: a token of another one is refused before it comes here.
    let tokens = TokenLayer::reading(TokenReader::new().for_route(|head| named_in(head.uri.path())));
    Ok(Router::new()
        .route("/accounts/{name}", get(read))
        .route("/accounts/{name}/transfers", post(transfer))
        .layer(tokens)
        .route("/", get(page))
        .route("/accounts", get(overview))
        .route("/events", get(events::stream))
        .with_state(Arc::new(Ledger { book, refusals: Refusals::default() })))
}

/// Serves until `until` says that it is enough.
///
/// # Errors
///
/// The socket failed.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    until: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served,
        // Pages listen without end: they are not waited for.
        () = until => Ok(()),
    }
}

async fn page() -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(include_str!("page.html")))
}

async fn overview(State(ledger): State<Arc<Ledger>>) -> Response {
    match ledger.overview().await {
        Ok(overview) => Json(overview).into_response(),
        Err(error) => Refusal::unreachable(error).into_response(),
    }
}

async fn read(
    State(ledger): State<Arc<Ledger>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    presented: Presented,
) -> Response {
    match ledger.book.read(&name, &presented).await {
        Ok(balance) => Json(Balance { balance }).into_response(),
        Err(failed) => ledger.answer(failed, What::Read, writer(&headers)),
    }
}

async fn transfer(
    State(ledger): State<Arc<Ledger>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    presented: Presented,
    Json(transfer): Json<Transfer>,
) -> Response {
    if name == transfer.to.account {
        return (StatusCode::UNPROCESSABLE_ENTITY, "a transfer goes from one account to another\n").into_response();
    }
    let to = match second(&transfer.to.account, transfer.to.token) {
        Ok(to) => to,
        Err(refusal) => return refusal.into_response(),
    };
    let (from, writer) = (&presented, writer(&headers));
    match ledger.book.write(&Write { account: &name, from, to: &to, transfer: &transfer, writer }).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(failed) => ledger.answer(failed, What::Write, writer),
    }
}

impl Ledger {
    async fn overview(&self) -> Result<Overview, Error> {
        self.book.overview(self.refusals.count()).await
    }

    /// Tells the writer, and the page if the token was stale.
    fn answer(&self, failed: Failed, what: What, writer: &str) -> Response {
        match failed {
            Failed::NoAccount(name) => {
                (StatusCode::NOT_FOUND, format!("there is no account {name:?}\n")).into_response()
            }
            Failed::Refused(refusal) => {
                self.refusals.tell(&refusal, what, writer);
                refusal.into_response()
            }
        }
    }
}

/// Writers say who they are, for people.
fn writer(headers: &HeaderMap) -> &str {
    headers.get(header::USER_AGENT).and_then(|name| name.to_str().ok()).unwrap_or("a writer without a name")
}

/// `/accounts/ada` and `/accounts/ada/transfers` are about `accounts/ada`.
fn named_in(path: &str) -> Result<Resource, ResourceError> {
    resource(path.split('/').nth(2).unwrap_or_default())
}
