//! Each route, through the router itself on a small database.

mod accounts;
mod app;
mod audit;
mod cache;
mod dashboards;
mod requests;
mod sessions;
mod settings;
mod users;
