//! Histories of a few lines, and the promises that they break.

use redfence::FencingToken;
use simulations::history::{Assumed, History, Record};
use simulations::invariant::{Promise, judge, overlaps};

/// A lease of `who`: when its acquire began, when it returned, and the end of the belief in it, in milliseconds. The
/// TTL is 100 ms.
fn lease(who: &str, token: u64, began: u64, returned: u64, until: u64) -> Vec<Record> {
    let (resource, holder, token) = ("r".to_owned(), who.to_owned(), number(token));
    let (valid_until_us, ttl_us) = ((returned + 100) * 1_000, 100_000);
    let acquired = Record::Acquired {
        at_us: returned * 1_000,
        began_us: began * 1_000,
        resource: resource.clone(),
        holder: holder.clone(),
        token,
        ttl_us,
        valid_until_us,
        latecomer: false,
    };
    vec![acquired, Record::Ended { at_us: until * 1_000, resource, holder, token, cause: "given up".to_owned() }]
}

fn extended(who: &str, token: u64, at: u64, until: u64) -> Vec<Record> {
    let (resource, holder, token) = ("r".to_owned(), who.to_owned(), number(token));
    vec![Record::Extended { at_us: at * 1_000, resource, holder, token, valid_until_us: until * 1_000 }]
}

fn write(token: u64, admitted: bool) -> Vec<Record> {
    vec![Record::Write { at_us: 0, resource: "r".to_owned(), token: number(token), admitted }]
}

/// What a client of another library believed in.
fn foreign(who: &str, from: u64, until: u64) -> Vec<Record> {
    let (resource, holder) = ("r".to_owned(), who.to_owned());
    vec![Record::ForeignHeld { at_us: until * 1_000, from_us: from * 1_000, resource, holder }]
}

fn vanished(who: &str, at: u64) -> Vec<Record> {
    vec![Record::Vanished { at_us: at * 1_000, holder: who.to_owned(), node: "n0".to_owned() }]
}

fn void(promise: Assumed, at: u64) -> Vec<Record> {
    vec![Record::Void { at_us: at * 1_000, promise, why: String::new() }]
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn number(token: u64) -> FencingToken {
    FencingToken::new(token).unwrap()
}

#[test]
fn what_is_broken_is_named() {
    use Promise::{E, F, T1, T2, X};
    type Row = (&'static str, Vec<Vec<Record>>, &'static [Promise]);
    let rows: [Row; 15] = [
        ("one after the other", vec![lease("a", 1, 0, 1, 9), lease("b", 2, 10, 11, 19)], &[]),
        ("at one instant", vec![lease("a", 1, 0, 1, 9), lease("b", 2, 5, 9, 19)], &[]),
        ("one token twice", vec![lease("a", 1, 0, 1, 9), lease("b", 1, 0, 10, 19)], &[T1]),
        ("tokens go back", vec![lease("a", 2, 0, 1, 9), lease("b", 1, 10, 11, 19)], &[T2]),
        ("they go back while both were on their way", vec![lease("a", 2, 0, 1, 9), lease("b", 1, 1, 11, 19)], &[]),
        (
            "they go back after the void",
            vec![lease("a", 2, 0, 1, 9), void(Assumed::T, 10), lease("b", 1, 10, 11, 19)],
            &[],
        ),
        ("two believe", vec![lease("a", 1, 0, 1, 9), lease("b", 2, 5, 8, 19)], &[X]),
        ("one is given up at once", vec![lease("a", 1, 0, 1, 9), lease("b", 2, 5, 8, 8)], &[X]),
        (
            "two believe, one lock vanished",
            vec![lease("a", 1, 0, 1, 9), vanished("a", 7), lease("b", 2, 5, 8, 19)],
            &[],
        ),
        ("it vanished later", vec![lease("a", 1, 0, 1, 9), lease("b", 2, 5, 8, 19), vanished("a", 9)], &[X]),
        (
            "no node remembered anything",
            vec![lease("a", 1, 0, 1, 9), void(Assumed::X, 7), lease("b", 2, 5, 8, 19)],
            &[],
        ),
        (
            "extended over a newer one",
            vec![extended_lease("a", 1, 150, 400), vanished("a", 90), lease("b", 2, 100, 110, 111)],
            &[E],
        ),
        (
            "extended before the newer one came, on a clock that is slow",
            vec![extended_lease("a", 1, 109, 400), vanished("a", 90), lease("b", 2, 100, 110, 111)],
            &[],
        ),
        ("a stale write lands", vec![write(2, true), write(1, true)], &[F]),
        ("a stale write is refused", vec![write(2, true), write(1, false), write(2, true)], &[]),
    ];
    for (story, records, broken) in rows {
        let history = History { records: records.concat() };
        let found: Vec<Promise> = judge(&history).iter().map(|violation| violation.promise).collect();
        assert_eq!(found, broken, "{story}");
    }
}

/// A lease that is returned at 1 ms and extended later.
fn extended_lease(who: &str, token: u64, at: u64, until: u64) -> Vec<Record> {
    let mut records = lease(who, token, 0, 1, until);
    records.splice(1..1, extended(who, token, at, until));
    records
}

/// A lease that was handed over to a late task.
fn latecomer(who: &str, token: u64, began: u64, returned: u64, until: u64) -> Vec<Record> {
    let mut records = lease(who, token, began, returned, until);
    if let Some(Record::Acquired { latecomer, .. }) = records.first_mut() {
        *latecomer = true;
    }
    records
}

/// The holder `a` has two leases, one after the other, with the tokens 1 and 2; `b` comes between them with token 3.
#[test]
fn a_lease_that_was_handed_over_is_judged_by_itself() {
    use Promise::{T1, T2, X};
    type Row = (&'static str, Vec<Vec<Record>>, &'static [Promise]);
    let rows: [Row; 7] = [
        ("one task after the other", vec![lease("a", 1, 0, 1, 9), lease("a", 2, 0, 9, 20)], &[]),
        ("both at once", vec![lease("a", 1, 0, 1, 9), lease("a", 2, 0, 8, 20)], &[X]),
        ("one token for both", vec![lease("a", 1, 0, 1, 9), lease("a", 1, 0, 9, 20)], &[T1]),
        ("it waited", vec![lease("a", 1, 0, 1, 9), lease("b", 3, 9, 10, 11), lease("a", 2, 0, 12, 20)], &[]),
        ("it came late", vec![lease("a", 1, 0, 1, 9), lease("b", 3, 9, 10, 11), latecomer("a", 2, 12, 12, 20)], &[T2]),
        (
            "it came late, and its lock had vanished",
            vec![lease("a", 1, 0, 1, 9), vanished("a", 9), lease("b", 3, 9, 10, 11), latecomer("a", 2, 12, 12, 20)],
            &[],
        ),
        (
            "the lock of the other had vanished",
            vec![lease("a", 1, 0, 1, 9), vanished("b", 9), lease("b", 3, 9, 10, 11), latecomer("a", 2, 12, 12, 20)],
            &[T2],
        ),
    ];
    for (story, records, broken) in rows {
        let history = History { records: records.concat() };
        let found: Vec<Promise> = judge(&history).iter().map(|violation| violation.promise).collect();
        assert_eq!(found, broken, "{story}");
    }
}

#[test]
fn a_client_of_another_library_excludes_leases_and_its_like() {
    for (story, parts, broken) in [
        ("one after the other", vec![lease("a", 1, 0, 1, 9), foreign("x", 9, 19)], false),
        ("a lease in the time of a foreign lock", vec![foreign("x", 5, 30), lease("a", 1, 6, 9, 19)], true),
        ("a foreign lock in the time of a lease", vec![lease("a", 1, 0, 1, 19), foreign("x", 9, 12)], true),
        ("two foreign locks", vec![foreign("x", 5, 30), foreign("y", 29, 40)], true),
        ("the lease had lost a lock", vec![lease("a", 1, 0, 1, 19), vanished("a", 8), foreign("x", 9, 12)], false),
        ("the other had", vec![vanished("x", 5), foreign("x", 5, 30), lease("a", 1, 6, 9, 19)], false),
        ("it lost one later", vec![foreign("x", 5, 30), lease("a", 1, 6, 9, 19), vanished("x", 10)], true),
        ("not promised any more", vec![void(Assumed::X, 1), foreign("x", 5, 30), lease("a", 1, 6, 9, 19)], false),
    ] {
        let found: Vec<_> = judge(&History { records: parts.concat() }).iter().map(|it| it.promise).collect();
        assert_eq!(found, if broken { vec![Promise::X] } else { Vec::new() }, "{story}");
    }
}

#[test]
fn other_resources_do_not_matter() {
    let mut records = lease("a", 2, 0, 1, 50);
    for mut record in lease("b", 2, 10, 11, 30) {
        if let Record::Acquired { resource, .. } | Record::Ended { resource, .. } = &mut record {
            "other".clone_into(resource);
        }
        records.push(record);
    }
    assert_eq!(judge(&History { records }), Vec::new());
}

#[test]
fn every_overlap_is_counted_and_none_is_promised_against_that_is_excused() {
    let records =
        [lease("a", 1, 0, 1, 50), vanished("a", 5), lease("b", 2, 2, 10, 50), lease("c", 3, 2, 20, 50)].concat();
    let history = History { records };
    let stays = history.stays();
    let found: Vec<_> = overlaps(&history, &stays)
        .iter()
        .map(|overlap| (overlap.first.holder.clone(), overlap.second.holder.clone(), overlap.excused))
        .collect();
    let row = |first: &str, second: &str, excused| (first.to_owned(), second.to_owned(), excused);
    assert_eq!(found, [row("a", "b", true), row("a", "c", true), row("b", "c", false)]);
}
