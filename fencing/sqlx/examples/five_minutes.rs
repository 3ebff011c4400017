//! A fenced write with PostgreSQL.

use redfence::{FencingToken, Redlock, Resource};
use redfence_sqlx::{Error, postgres};
use sqlx::PgPool;

/// One transaction: admit, then read and write whatever the lock protects.
async fn pay(pool: &PgPool, order: &Resource, token: FencingToken) -> Result<(), Error> {
    let mut transaction = pool.begin().await.map_err(postgres::refused)?;
    postgres::admit(&mut transaction, order, token).await?;
    sqlx::query("UPDATE orders SET state = 'paid' WHERE name = $1")
        .bind(order.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(postgres::refused)?;
    postgres::commit(transaction).await
}

/// The complete procedure: lock, write, and what to do after each refusal.
pub(crate) async fn pay_under_lock(
    redlock: &Redlock,
    pool: &PgPool,
    order: &Resource,
) -> Result<(), Box<dyn std::error::Error>> {
    loop {
        let guard = redlock.acquire(order).await?;
        let paid = loop {
            match pay(pool, order, guard.token()).await {
                // A conflict with another transaction. It says nothing about the token.
                Err(Error::Retry(_)) => {}
                // It may have happened. Paying again changes nothing, so simply repeat it.
                Err(Error::Unknown(_)) if guard.check().is_ok() => {}
                paid => break paid,
            }
        };
        drop(guard.release().await);
        match paid {
            // A newer holder has written while this one was paused: acquire a new lease.
            Err(Error::Stale { .. }) => {}
            paid => return Ok(paid?),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let redlock = Redlock::connect(std::env::var("REDFENCE_NODES")?.split(',')).await?;
    let pool = PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    pay_under_lock(&redlock, &pool, &Resource::new("orders/42")?).await
}
