//! Connections to the database, kept for the next request.

use std::sync::{Mutex, PoisonError};

use tokio_postgres::{Client, Config, NoTls};

/// Hands out idle connections. One that failed is not given back, and ends.
pub(crate) struct Pool {
    config: Config,
    idle: Mutex<Vec<Client>>,
}

impl Pool {
    pub(crate) const fn new(config: Config) -> Self {
        Self { config, idle: Mutex::new(Vec::new()) }
    }

    pub(crate) async fn take(&self) -> Result<Client, tokio_postgres::Error> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(client) = idle() {
            if !client.is_closed() {
                return Ok(client);
            }
        }
        let (client, connection) = self.config.connect(NoTls).await?;
        // It ends with its client.
        tokio::spawn(connection);
        Ok(client)
    }

    /// After a request that ended well, so that no transaction is open.
    pub(crate) fn give_back(&self, client: Client) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
    }
}
