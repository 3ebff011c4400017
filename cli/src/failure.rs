//! [`Failure`]: why a command failed, with the evidence and the exit code.

use redfence::{AcquireError, ConfigError, ConnectError, ExtendError, Redlock};

use crate::exit::Exit;
use crate::words::node;
use crate::words::rest::Rest;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// The dominant cause, in one line.
    pub(crate) message: String,
    /// The address and the vote of each node whose vote is known.
    pub(crate) votes: Vec<(String, String)>,
    /// Whether the message already says everything that the votes would say.
    pub(crate) is_all_said: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), votes: Vec::new(), is_all_said: false }
    }

    fn with_votes(mut self, redlock: &Redlock, votes: Option<&redfence::protocol::Votes>) -> Self {
        let votes = votes.into_iter().flat_map(redfence::protocol::Votes::iter);
        self.votes = redlock.addresses().into_iter().zip(votes.map(|(_, vote)| vote.to_string())).collect();
        self
    }

    /// The failure of an acquire on the nodes of `redlock`. `has_told` says whether a note before the wait said that
    /// too many nodes rest.
    pub(crate) fn acquire(error: &AcquireError, redlock: &Redlock, has_told: bool) -> Self {
        if let (AcquireError::NoQuorum { .. }, Some(rest)) = (error, Rest::of(redlock)) {
            let story = if has_told { rest.in_short() } else { rest.story() };
            let nodes = redlock.nodes();
            let votes = nodes.iter().map(|status| (status.address.clone(), node::standing(status))).collect();
            let is_all_said = nodes.iter().all(|status| status.last_fault.is_none());
            return Self { votes, is_all_said, ..Self::new(Exit::NoQuorum, format!("no quorum: {story}")) };
        }
        let exit = match error {
            AcquireError::Resource(_) => Exit::Usage,
            AcquireError::Contended { .. } | AcquireError::HeldWithoutTtl { .. } => Exit::Contended,
            _ => Exit::NoQuorum,
        };
        // If clocks are wrong, nodes may fail for other stated reasons.
        let message = match exit {
            Exit::NoQuorum => node::with_wrong_clocks(error.to_string(), &redlock.nodes()),
            _ => error.to_string(),
        };
        Self::new(exit, message).with_votes(redlock, error.votes())
    }

    /// The failure of an extension on the nodes of `redlock`.
    pub(crate) fn extend(error: &ExtendError, redlock: &Redlock) -> Self {
        let (exit, votes) = match error {
            ExtendError::Resource(_) => (Exit::Usage, None),
            ExtendError::Lost(_) => (Exit::Lost, None),
            ExtendError::NoQuorum { votes } => (Exit::NoQuorum, Some(votes)),
            _ => (Exit::NoQuorum, None),
        };
        let message = match exit {
            Exit::Lost => format!("{error}; `redfence status` shows what each node has now"),
            _ => error.to_string(),
        };
        Self::new(exit, message).with_votes(redlock, votes)
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
            ConnectError::NoQuorum { reached, nodes, needed, anchor, unreachable } => {
                let anchor = anchor.map(|anchor| format!(", among them the anchor, {anchor}")).unwrap_or_default();
                let message =
                    format!("no quorum: {reached} of {nodes} nodes could be reached, {needed} are needed{anchor}");
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
