//! What is kept has bounds: the time of a value, its length, and the number of values in memory.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use redfence::cached::{CacheStore, CachedError, Entry, MemoryCache};
use redfence::{FencingToken, Resource};

use crate::fleet::{COSTLY, Fleet, TTL};
use crate::support::Stage;

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_refused() {
    let process = Fleet::new().process();
    let never = || async { Err::<Vec<u8>, _>("was called") };
    for ttl in [Duration::ZERO, Duration::from_micros(999), Entry::TTL_MAX + Duration::from_millis(1)] {
        let error = process.get_or_compute("k", ttl, never).await.unwrap_err();
        assert!(matches!(error, CachedError::Ttl { ttl: given } if given == ttl), "{error:?}");
    }
    assert!(matches!(process.get_or_compute("", TTL, never).await.unwrap_err(), CachedError::Key(_)));
    let long = || async { Ok::<_, Infallible>(vec![0; Entry::LEN_MAX + 1]) };
    let error = process.get_or_compute("k", TTL, long).await.unwrap_err();
    assert!(matches!(error, CachedError::TooLong { len } if len == Entry::LEN_MAX + 1), "{error:?}");
    let longest = || async { Ok::<_, Infallible>(vec![0; Entry::LEN_MAX]) };
    assert_eq!(process.get_or_compute("k", Entry::TTL_MAX, longest).await.unwrap().len(), Entry::LEN_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_memory_cache_is_bounded_and_what_expires_first_makes_room() {
    let stage = Stage::of(1);
    let cache = MemoryCache::on(Arc::clone(&stage.clock), 10);
    let names: Vec<_> = (1..=1_000_u64).map(|number| Resource::new(number.to_string()).unwrap()).collect();
    for (number, name) in (1..).zip(&names) {
        let entry = Entry::new([].into(), FencingToken::new(number).unwrap(), Duration::from_secs(number), COSTLY);
        cache.put(name, &entry).await.unwrap().into_result().unwrap();
    }
    let found: Vec<_> = join_all(names.iter().map(|name| cache.get(name))).await;
    let found: Vec<_> = names.iter().zip(found).filter(|(_, found)| found.as_ref().unwrap().is_some()).collect();
    assert_eq!(
        found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" "),
        "991 992 993 994 995 996 997 998 999 1000"
    );
}
