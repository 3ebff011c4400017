//! An object store in front of another one, which loses answers when a test says so.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use redfence_claim::testing::Delivery;

#[derive(Debug)]
pub struct Line {
    store: Arc<dyn ObjectStore>,
    next: Mutex<Option<Delivery>>,
    held: Mutex<Option<(Path, PutPayload, PutOptions)>>,
}

impl Line {
    pub fn to(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, next: Mutex::default(), held: Mutex::default() }
    }

    pub fn next_put(&self, delivery: Delivery) {
        *self.next.lock().unwrap() = Some(delivery);
    }

    pub async fn deliver(&self) {
        let held = self.held.lock().unwrap().take();
        if let Some((path, payload, options)) = held {
            let late = self.store.put_opts(&path, payload, options).await;
            println!("delivered late: {:?}", late.map_err(|error| error.to_string()));
        }
    }
}

fn unheard() -> Error {
    Error::Generic { store: "line", source: "connection reset".into() }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a line to {}", self.store)
    }
}

#[async_trait]
impl ObjectStore for Line {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let next = self.next.lock().unwrap().take();
        match next {
            None => self.store.put_opts(path, payload, options).await,
            Some(Delivery::Never) => Err(unheard()),
            Some(Delivery::Now) => {
                self.store.put_opts(path, payload, options).await?;
                Err(unheard())
            }
            Some(Delivery::Late) => {
                *self.held.lock().unwrap() = Some((path.clone(), payload, options));
                Err(unheard())
            }
            Some(Delivery::Twice) => {
                self.store.put_opts(path, payload.clone(), options.clone()).await?;
                self.store.put_opts(path, payload, options).await
            }
        }
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.store.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}
