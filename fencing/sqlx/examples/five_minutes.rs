//! A fenced write with PostgreSQL.

use redfence::{FencingToken, Redlock, Resource};
use redfence_retry::retry_stale;
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
    // After "stale", because a newer holder has written while this one was paused: a new lease.
    let paid = retry_stale(redlock, order, 3, Error::stale, async |lease| {
        loop {
            match pay(pool, order, lease.token()).await {
                // A conflict with another transaction. It says nothing about the token.
                Err(Error::Retry(_)) if lease.check().is_ok() => {}
                // It may have happened. Paying again changes nothing, so simply repeat it.
                Err(Error::Unknown(_)) if lease.check().is_ok() => {}
                paid => return paid,
            }
        }
    });
    Ok(paid.await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let redlock = Redlock::connect(std::env::var("REDFENCE_NODES")?.split(',')).await?;
    let pool = PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    pay_under_lock(&redlock, &pool, &Resource::new("orders/42")?).await
}
