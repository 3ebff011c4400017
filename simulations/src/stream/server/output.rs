//! [`Output`]: what a server does to a connection.

/// Something that a server does to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// It writes these bytes.
    Bytes(Vec<u8>),
    /// It closes it.
    HangUp,
}
