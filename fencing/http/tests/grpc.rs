//! A gRPC server and client over loopback, with a service written by hand: one method, strings in and out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests say what they expect by panicking, as tests do"
)]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut};
use http::uri::PathAndQuery;
use redfence::verifier::{MemoryStore, Rule};
use redfence::{EmbeddedNode, FencingToken, Redlock, Resource};
use redfence_http::client::AddToken;
use redfence_http::grpc::ReadToken;
use redfence_http::{Presented, Refusal};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{NamedService, UnaryService};
use tonic::service::interceptor::InterceptedService;
use tonic::service::{Interceptor, Routes};
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};

/// UTF-8 instead of protobuf: so the tests need no protoc.
#[derive(Default)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, item: String, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(item.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| Status::invalid_argument("not UTF-8"))
    }
}

/// `shop.Shop/Write` with "RESOURCE LINE": the token is admitted in the step that writes.
#[derive(Clone, Default)]
struct Shop {
    fence: Arc<MemoryStore>,
    written: Arc<Mutex<Vec<String>>>,
}

impl UnaryService<String> for Shop {
    type Response = String;
    type Future = std::future::Ready<Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        std::future::ready(self.write(&request).map(|()| Response::new("written".to_owned())).map_err(Status::from))
    }
}

impl Shop {
    fn write(&self, request: &Request<String>) -> Result<(), Refusal> {
        let (name, line) = request.get_ref().split_once('\n').unwrap();
        let presented = Presented::of_call(request)?;
        let token = presented.token_for(&Resource::new(name).unwrap())?;
        let write = || self.written.lock().unwrap().push(line.to_owned());
        let fenced = self.fence.write(&presented.resource, token, Rule::AcceptEqual, write);
        fenced.map_err(|stale| presented.stale(stale))
    }
}

impl NamedService for Shop {
    const NAME: &'static str = "shop.Shop";
}

impl tower::Service<http::Request<Body>> for Shop {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let shop = self.clone();
        Box::pin(async move { Ok(tonic::server::Grpc::new(Text).unary(shop, request).await) })
    }
}

async fn connect(routes: Routes) -> Channel {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(Server::builder().add_routes(routes).serve_with_incoming(TcpListenerStream::new(listener)));
    Channel::from_shared(url).unwrap().connect().await.unwrap()
}

async fn call(channel: &Channel, adds: impl Interceptor, text: &str) -> Result<String, Status> {
    let mut client = tonic::client::Grpc::new(InterceptedService::new(channel.clone(), adds));
    client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
    let method = PathAndQuery::from_static("/shop.Shop/Write");
    client.unary(Request::new(text.to_owned()), method, Text).await.map(Response::into_inner)
}

/// An interceptor that sends these values, whatever they are.
fn sends(values: &[&str]) -> impl Interceptor {
    let values: Vec<String> = values.iter().map(|&value| value.to_owned()).collect();
    move |mut request: Request<()>| {
        for value in &values {
            request.metadata_mut().append("fencing-token", value.parse().unwrap());
        }
        Ok(request)
    }
}

#[tokio::test]
async fn a_stale_writer_is_refused_and_nothing_is_sent_once_the_lease_is_over() {
    let shop = Shop::default();
    let channel = connect(Routes::new(InterceptedService::new(shop.clone(), ReadToken::new()))).await;
    let lock = Redlock::builder().node(EmbeddedNode::new()).ttl(Duration::from_secs(20)).build().unwrap();

    let old = lock.acquire("orders/42").await.unwrap();
    assert_eq!(call(&channel, AddToken::of(&old), "orders/42\none").await.unwrap(), "written");
    let header = Presented::new(old.resource().clone(), old.token()).to_string();
    let adds = AddToken::of(&old);
    drop(old.release().await);

    let new = lock.acquire("orders/42").await.unwrap();
    assert_eq!(call(&channel, AddToken::of(&new), "orders/42\ntwo").await.unwrap(), "written");
    let cancelled = call(&channel, adds, "orders/42\nnot sent").await.unwrap_err();
    assert_eq!((cancelled.code(), Refusal::from_status(&cancelled)), (Code::Cancelled, None));

    // The earlier request of the old holder arrives now.
    let stale = call(&channel, sends(&[&header]), "orders/42\nlate").await.unwrap_err();
    assert_eq!(stale.code(), Code::Aborted);
    let Some(Refusal::Stale { highest, .. }) = Refusal::from_status(&stale) else { panic!("{stale:?}") };
    assert_eq!(highest, new.token());
    assert_eq!(*shop.written.lock().unwrap(), ["one", "two"]);
}

#[tokio::test]
async fn each_refusal_has_its_code() {
    let shop = Shop::default();
    let bare = connect(Routes::new(shop.clone())).await;
    let channel = connect(Routes::new(InterceptedService::new(shop.clone(), ReadToken::new()))).await;
    let good = r#"resource="orders/42"; token="42""#;
    // With the longest names in the longest encoding, the refusal still fits into metadata.
    let longest = |c: char| Resource::new(c.to_string().repeat(Resource::LEN_MAX / c.len_utf8())).unwrap();
    let far = Presented::new(longest('\u{200b}'), FencingToken::new(FencingToken::MAX).unwrap()).to_string();

    for (channel, values, name, code) in [
        (&channel, vec![], "orders/42", Code::FailedPrecondition),
        (&channel, vec!["42"], "orders/42", Code::InvalidArgument),
        (&channel, vec![good, good], "orders/42", Code::InvalidArgument),
        (&channel, vec![good], "orders/43", Code::InvalidArgument),
        (&channel, vec![far.as_str()], longest('\u{feff}').as_str(), Code::InvalidArgument),
        (&bare, vec![good], "orders/42", Code::Internal),
    ] {
        let status = call(channel, sends(&values), &format!("{name}\nline")).await.unwrap_err();
        assert_eq!(status.code(), code, "{values:?} {status:?}");
        assert_eq!(Refusal::from_status(&status).unwrap().code(), code, "{status:?}");
    }
    let codes = [
        (Refusal::unreachable("down"), Code::Unavailable),
        (Refusal::unknown_outcome("lost"), Code::Unknown),
        (Refusal::BadSignature("no".to_owned()), Code::PermissionDenied),
    ];
    for (refusal, code) in codes {
        let status = Status::from(refusal.clone());
        assert_eq!((status.code(), Refusal::from_status(&status)), (code, Some(refusal)));
    }
    assert!(shop.written.lock().unwrap().is_empty());
}
