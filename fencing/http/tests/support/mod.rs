//! A shop behind a real server on loopback, a real lock, and a network that delays.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::put;
use redfence::verifier::{MemoryStore, Rule};
use redfence::{EmbeddedNode, Redlock, Resource};
use redfence_http::{Presented, Refusal, TokenLayer};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// The resource server: orders, and their fence in the same step.
#[derive(Clone, Default)]
pub(crate) struct Shop {
    pub(crate) fence: Arc<MemoryStore>,
    pub(crate) written: Arc<Mutex<Vec<String>>>,
    pub(crate) requests: Arc<AtomicUsize>,
}

impl Shop {
    pub(crate) fn written(&self) -> Vec<String> {
        self.written.lock().unwrap().clone()
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// `PUT /orders/{id}`: the token is admitted in the step that writes.
async fn write(
    State(shop): State<Shop>,
    Path(id): Path<String>,
    presented: Presented,
    line: String,
) -> Result<StatusCode, Refusal> {
    let order = Resource::new(format!("orders/{id}")).unwrap();
    let token = presented.token_for(&order)?;
    shop.fence
        .write(&order, token, Rule::AcceptEqual, || shop.written.lock().unwrap().push(line))
        .map_err(|stale| presented.stale(stale))?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) fn orders(shop: &Shop, layer: TokenLayer) -> Router {
    let requests = Arc::clone(&shop.requests);
    let count = axum::middleware::from_fn(move |request: axum::extract::Request, next: axum::middleware::Next| {
        requests.fetch_add(1, Ordering::SeqCst);
        next.run(request)
    });
    Router::new()
        .route("/orders/{id}", put(write))
        .layer(layer)
        .route("/unfenced/{id}", put(write))
        .layer(count)
        .with_state(shop.clone())
}

/// Serves on a free port of loopback; the URL, without a slash at its end.
pub(crate) async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A lock over five nodes in process. Its leases are not renewed: a paused holder loses its lease.
pub(crate) fn lock(ttl: Duration) -> Redlock {
    let nodes = (0..5).fold(Redlock::builder(), |builder, _| builder.node(EmbeddedNode::new()));
    nodes.ttl(ttl).renewed(false).wait_max(Duration::from_secs(20)).build().unwrap()
}

/// reqwest, with middlewares in this order.
pub(crate) fn client(middlewares: Vec<Arc<dyn Middleware>>) -> ClientWithMiddleware {
    let bare = ClientBuilder::new(reqwest::Client::new());
    middlewares.into_iter().fold(bare, ClientBuilder::with_arc).build()
}

/// A network that accepts a request at once, and delivers it when the test says so.
pub(crate) struct SlowNetwork {
    taken: Semaphore,
    through: Semaphore,
}

impl SlowNetwork {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { taken: Semaphore::new(0), through: Semaphore::new(0) })
    }

    /// Until a request is on its way.
    pub(crate) async fn has_one(&self) {
        self.taken.acquire().await.unwrap().forget();
    }

    pub(crate) fn deliver(&self) {
        self.through.add_permits(1);
    }
}

#[async_trait::async_trait]
impl Middleware for SlowNetwork {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        self.taken.add_permits(1);
        self.through.acquire().await.unwrap().forget();
        next.run(request, extensions).await
    }
}
