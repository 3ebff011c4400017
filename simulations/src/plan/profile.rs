//! [`Profile`]: how bad it gets.

/// How bad it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// A good network and good machines.
    Calm,
    /// Some messages are lost or late, and a few things go wrong.
    Rough,
    /// Everything that can go wrong goes wrong, at once.
    Hell,
    /// Nodes and network are good, and many clients want one lock: they give up, die or stand still while they wait.
    Crowd,
}

/// How many there are of what; as the seed decides where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scale {
    /// Nodes.
    pub nodes: Option<u8>,
    /// Clients.
    pub clients: Option<u8>,
}

impl Profile {
    /// The most faults in one run.
    pub(super) const fn faults_max(self) -> u32 {
        match self {
            Self::Calm | Self::Crowd => 0,
            Self::Rough => 4,
            Self::Hell => 14,
        }
    }

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Rough => "rough",
            Self::Hell => "hell",
            Self::Crowd => "crowd",
        }
    }
}
