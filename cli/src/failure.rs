//! [`Failure`]: why a command failed, with the evidence, and the code that goes with it.

use redfence::{AcquireError, ConfigError, ConnectError, ExtendError, Redlock};

use crate::exit::Exit;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// The dominant cause, in one line.
    pub(crate) message: String,
    /// Address and vote of each node that is known to have had one.
    pub(crate) votes: Vec<(String, String)>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), votes: Vec::new() }
    }

    fn with_votes(mut self, redlock: &Redlock, votes: Option<&redfence::protocol::Votes>) -> Self {
        let votes = votes.into_iter().flat_map(redfence::protocol::Votes::iter);
        self.votes = redlock.addresses().into_iter().zip(votes.map(|(_, vote)| vote.to_string())).collect();
        self
    }

    /// An acquire failed on the nodes of `redlock`.
    pub(crate) fn acquire(error: &AcquireError, redlock: &Redlock) -> Self {
        let exit = match error {
            AcquireError::Resource(_) => Exit::Usage,
            AcquireError::Contended { .. } => Exit::Contended,
            _ => Exit::NoQuorum,
        };
        Self::new(exit, error.to_string()).with_votes(redlock, error.votes())
    }

    /// An extension failed on the nodes of `redlock`.
    pub(crate) fn extend(error: &ExtendError, redlock: &Redlock) -> Self {
        let (exit, votes) = match error {
            ExtendError::Lost(_) => (Exit::Lost, None),
            ExtendError::NoQuorum { votes } => (Exit::NoQuorum, Some(votes)),
            _ => (Exit::NoQuorum, None),
        };
        Self::new(exit, error.to_string()).with_votes(redlock, votes)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Config(error) => error.into(),
            ConnectError::NoQuorum { reached, nodes, needed, unreachable } => {
                let message = format!("no quorum: {reached} of {nodes} nodes could be reached, {needed} are needed");
                let votes = unreachable.into_iter().map(|(address, fault)| (address, fault.to_string())).collect();
                Self { votes, ..Self::new(Exit::NoQuorum, message) }
            }
            error => Self::new(Exit::NoQuorum, error.to_string()),
        }
    }
}

impl From<redfence::ResourceError> for Failure {
    fn from(error: redfence::ResourceError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}
