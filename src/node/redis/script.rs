//! The scripts: their text, and how they are called.

use std::sync::LazyLock;

use redis::Script as Hashed;

use super::keys::Prefix;

/// One of the scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Batch,
    Inspect,
    Scan,
    Join,
}

impl Script {
    pub(super) const COUNT: usize = 4;

    /// A place of its own in an array of [`Script::COUNT`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The whole text.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Batch => include_str!("batch.lua"),
            Self::Inspect => include_str!("inspect.lua"),
            Self::Scan => include_str!("scan.lua"),
            Self::Join => include_str!("join.lua"),
        }
    }

    /// Its hash, by which a server knows a script that it was told before.
    pub(super) fn sha(self) -> &'static str {
        static SHAS: LazyLock<[String; Script::COUNT]> = LazyLock::new(|| {
            [Script::Batch, Script::Inspect, Script::Scan, Script::Join]
                .map(|script| Hashed::new(script.code()).get_hash().to_owned())
        });
        SHAS.get(self.index()).map_or("", String::as_str)
    }
}

/// A script that is never run, only loaded: it tells that the node was joined in this run of its server. Scripts outlive a
/// flush of all keys, and no restart. Each prefix and each database is a node of its own.
#[derive(Debug)]
pub(super) struct Marker {
    pub(super) code: String,
    pub(super) sha: String,
}

impl Marker {
    /// Loaded to see whether scripts may be loaded.
    pub(super) const TRIAL: &'static str = "return 'redfence: scripts may be loaded'";

    pub(super) fn new(prefix: &Prefix, database: i64) -> Self {
        let prefix = prefix.as_str();
        let code = format!("return 'redfence: {prefix} in database {database} was joined in this run of the server'");
        let sha = Hashed::new(&code).get_hash().to_owned();
        Self { code, sha }
    }
}
