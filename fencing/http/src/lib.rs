#![cfg_attr(all(feature = "axum", feature = "tower", feature = "reqwest"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "axum", feature = "tower", feature = "reqwest")),
    doc = "Fencing tokens over HTTP and gRPC. The front page of this crate is shown with all features."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "lease")]
pub mod client;
mod field;
#[cfg(feature = "tonic")]
pub mod grpc;
#[cfg(feature = "tower")]
mod layer;
mod presented;
#[cfg(feature = "lease")]
mod read_gate;
mod reader;
mod refusal;

#[cfg(feature = "tower")]
pub use layer::{TokenLayer, TokenService};
pub use presented::{FENCING_TOKEN, HeaderError, Presented, X_FENCING_TOKEN};
#[cfg(feature = "lease")]
pub use read_gate::ReadGate;
pub use reader::TokenReader;
pub use refusal::{Cause, Refusal};
