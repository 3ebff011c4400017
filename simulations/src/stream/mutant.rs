//! Mutants in what a node does: the shipped scripts with one place changed.

use super::server::Server;
use crate::mutant::Mutant;

const BATCH: &str = include_str!("../../../src/node/redis/batch.lua");
const JOIN: &str = include_str!("../../../src/node/redis/join.lua");

/// The changes: mutant, script, text to replace, and its replacement.
const CHANGES: [(Mutant, &str, &str, &str); 14] = [
    // S is 83, R is 82, E is 69.
    (Mutant::SealWithoutHolder, BATCH, HOLDER, "if taken == holder or what == 83 then"),
    (Mutant::ReleaseWithoutHolder, BATCH, HOLDER, "if taken == holder or what == 82 then"),
    (
        Mutant::ExtendReseeds,
        BATCH,
        HOLDER,
        "if taken == '' and what == 69 then\n\
           try('SET', lock, holder, 'PX', ARGV[at + 2])\n\
           answer = 1\n\
         elseif taken == holder then",
    ),
    (
        Mutant::EmptyCounterVotes,
        BATCH,
        DRAW,
        "if tonumber(redis.call('GET', counter) or 0) < 1e15 then redis.call('SET', counter, '1000000000000000') end\n\
         answer = try('INCRBY', counter, sub(verb, 2))",
    ),
    (Mutant::BlockNotOwned, BATCH, DRAW, "answer = try('INCRBY', counter, 1)"),
    (Mutant::WakeIsLost, BATCH, PUBLISH, "local received = 1"),
    (Mutant::DeadHeadIsNext, BATCH, "received == true or type(received) == 'number' and received > 0", "grace"),
    (Mutant::ReservationWithoutEnd, BATCH, "'next:' .. first, 'PX', grace)", "'next:' .. first)"),
    (
        Mutant::LeaveIgnored,
        BATCH,
        "occupant == '' and try('PTTL', lock) == -2 or occupant == 'next:' .. left, 1",
        "false, 1",
    ),
    (
        Mutant::ForeignIgnored,
        BATCH,
        TAKE,
        "if not string.find(try('GETRANGE', lock, 0, 255), '^%x+ ') then try('DEL', lock) end\n\
         answer = try('SET', lock, holder, 'NX', 'PX', ttl)",
    ),
    // No locker notices that it forgot, because it is awake at once with counters that start low.
    (Mutant::EmptyCounterVotes, JOIN, REST.0, REST.1),
    (Mutant::EmptyCounterVotes, JOIN, START.0, START.1),
    (Mutant::NoRest, JOIN, REST.0, REST.1),
    (Mutant::NoClockStart, JOIN, START.0, START.1),
];
const PUBLISH: &str =
    "local received = grace and (what == 81 or try('PUBLISH', wakes .. sub(first, 1, 16), '0 ' .. lock))";
const TAKE: &str = "answer = try('SET', lock, holder, 'NX', 'PX', ttl)";
const HOLDER: &str = "if taken == holder then";
const DRAW: &str = "answer = try('INCRBY', counter, sub(verb, 2))";
const REST: (&str, &str) = ("tonumber(ARGV[6])", "ARGV[6] and 0");
const START: (&str, &str) = ("local keys, first, low =", "start = 1e15\n  local keys, first, low =");

/// Makes a server run the scripts of a mutant instead of the shipped ones.
pub(super) fn alter(server: &Server, mutant: Mutant) {
    for shipped in [BATCH, JOIN] {
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
