//! Mutants in what a node does: the shipped scripts with one place changed.

use super::server::Server;
use crate::mutant::Mutant;

const GRANT: &str = include_str!("../../../src/node/redis/grant.lua");
const SEAL: &str = include_str!("../../../src/node/redis/seal.lua");
const EXTEND: &str = include_str!("../../../src/node/redis/extend.lua");
const RELEASE: &str = include_str!("../../../src/node/redis/release.lua");
const JOIN: &str = include_str!("../../../src/node/redis/join.lua");

/// Which mutant changes which script, and there what to what.
const CHANGES: [(Mutant, &str, &str, &str); 8] = [
    (Mutant::SealWithoutHolder, SEAL, "if occupant ~= ARGV[1] then", "if false then"),
    (Mutant::ReleaseWithoutHolder, RELEASE, "if occupant ~= ARGV[1] then", "if false then"),
    (
        Mutant::ExtendReseeds,
        EXTEND,
        "if occupant ~= ARGV[1] then",
        "if not occupant then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1 end\nif occupant ~= ARGV[1] then",
    ),
    (
        Mutant::EmptyCounterVotes,
        GRANT,
        "local drawn = redis.call('INCR', KEYS[2])",
        "if tonumber(redis.call('GET', KEYS[2]) or 0) < 1e15 then redis.call('SET', KEYS[2], '1000000000000000') end\n\
         local drawn = redis.call('INCR', KEYS[2])",
    ),
    // Nobody finds out that it forgot, for it is awake at once with counters that start low.
    (Mutant::EmptyCounterVotes, JOIN, REST.0, REST.1),
    (Mutant::EmptyCounterVotes, JOIN, START.0, START.1),
    (Mutant::NoRest, JOIN, REST.0, REST.1),
    (Mutant::NoClockStart, JOIN, START.0, START.1),
];
const REST: (&str, &str) = ("tonumber(ARGV[6])", "ARGV[6] and 0");
const START: (&str, &str) =
    ("if not counter or counter < start then", "start = 1e15\n    if not counter or counter < start then");

/// Lets a server run the scripts of a mutant in place of the shipped ones.
pub(super) fn alter(server: &Server, mutant: Mutant) {
    for shipped in [GRANT, SEAL, EXTEND, RELEASE, JOIN] {
        let altered = altered(shipped, mutant);
        if altered != shipped {
            server.alter(shipped, &altered);
        }
    }
}

fn altered(shipped: &str, mutant: Mutant) -> String {
    let changes = CHANGES.iter().filter(|(whose, script, ..)| *whose == mutant && *script == shipped);
    changes.fold(shipped.to_owned(), |script, (.., from, to)| script.replacen(from, to, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_finds_its_place_once() {
        for (mutant, script, from, _) in CHANGES {
            assert_eq!(script.matches(from).count(), 1, "{mutant:?}: {from}");
            assert_ne!(altered(script, mutant), script);
        }
    }
}
