//! [`Profile`]: how much goes wrong.

/// How much goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// A good network and good machines.
    #[value(alias = "calm")]
    Healthy,
    /// Some messages are lost or late, and there are a few faults.
    #[value(alias = "rough")]
    SomeFaults,
    /// Many faults of every kind, which overlap.
    #[value(alias = "hell")]
    ManyFaults,
    /// Nodes and network are good, and many clients want one lock: they give up, die or pause while they wait.
    #[value(alias = "crowd")]
    Contention,
    /// Clients of another library lock the same keys, and there are a few faults. No node forgets.
    MixedFleet,
}

/// How many nodes and clients a plan has. The seed decides a number that is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scale {
    /// Nodes.
    pub nodes: Option<u8>,
    /// Clients.
    pub clients: Option<u8>,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Healthy, Self::SomeFaults, Self::ManyFaults, Self::Contention, Self::MixedFleet];

    /// The most faults in one run.
    pub(super) const fn faults_max(self) -> u32 {
        match self {
            Self::Healthy | Self::Contention | Self::MixedFleet => 0,
            Self::SomeFaults => 4,
            Self::ManyFaults => 14,
        }
    }

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::SomeFaults => "some-faults",
            Self::ManyFaults => "many-faults",
            Self::Contention => "contention",
            Self::MixedFleet => "mixed-fleet",
        }
    }
}
