//! The repository: every statement of the service, one file per kind of data.
//!
//! These are the functions that the cache annotates, and the only place of the example that knows about it.

mod accounts;
mod dashboards;
mod orders;
mod sessions;
mod settings;
mod users;

use crate::database::Database;

/// Reads and writes the data of the service.
#[derive(Clone, Debug)]
pub struct Repository {
    database: Database,
}

impl Repository {
    /// A repository on this database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// The database it works on.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }
}
