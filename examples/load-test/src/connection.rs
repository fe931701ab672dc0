//! One connection: it sends a request, waits for the answer, holds it against what must be true, and sends the next.

use std::sync::Arc;
use std::time::Instant;

use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::api::{Api, Dashboard, LoggedIn, Order, Session, Settings, User};
use crate::population::{ActiveUser, Population};
use crate::recorder::{Failure, Kind, Recorder};
use crate::workload::{Operation, Workload};

/// A client that sends one request after the other.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) api: Api,
    pub(crate) workload: Arc<Workload>,
    pub(crate) population: Arc<Population>,
    pub(crate) recorder: Arc<Recorder>,
    /// The day of all dashboards and orders.
    pub(crate) day: Arc<str>,
    pub(crate) random: StdRng,
}

impl Connection {
    /// Sends requests until it is dropped.
    pub(crate) async fn run(mut self) {
        let population = Arc::clone(&self.population);
        loop {
            sleep(self.workload.think_time(&mut self.random)).await;
            let (operation, rank) = self.workload.next(&mut self.random);
            let user = &population.users[rank];
            match operation {
                Operation::ReadUser => self.read_user(user).await,
                Operation::ReadDashboard => self.read_dashboard(user).await,
                Operation::ReadSession => self.read_session(user).await,
                Operation::ReadSettings => self.read_settings().await,
                Operation::RenameUser => self.rename_user(user).await,
                Operation::PlaceOrder => self.place_order(user).await,
                Operation::UpdateSettings => self.update_settings().await,
                Operation::Relogin => self.relogin(user).await,
            }
        }
    }

    async fn read_user(&self, user: &ActiveUser) {
        let known = user.revision.get();
        self.get(
            Kind::User,
            &format!("/users/{}", user.id),
            |answer: &User| {
                owner(user, answer.id)?;
                fresh(known, answer.revision)
            },
        )
        .await;
    }

    async fn read_dashboard(&self, user: &ActiveUser) {
        let known = user.order.get();
        let path = format!("/dashboards/{}?date={}", user.id, self.day);
        self.get(Kind::Dashboard, &path, |answer: &Dashboard| {
            owner(user, answer.user_id)?;
            fresh(known, answer.standing.latest_order.unwrap_or(0))
        })
        .await;
    }

    async fn read_settings(&self) {
        let known = self.population.settings.get();
        self.get(Kind::Settings, "/settings", |answer: &Settings| {
            fresh(known, answer.revision)
        })
        .await;
    }

    async fn read_session(&self, user: &ActiveUser) {
        let token = user.token();
        self.request(
            Kind::Session,
            Method::GET,
            &session(&token),
            None,
            |status, body| {
                // Somebody logged this session out after the token was looked up.
                if status == StatusCode::NOT_FOUND && user.token() != token {
                    return Ok(());
                }
                let answer: Session = answer(StatusCode::OK, status, body)?;
                owner(user, answer.user_id)
            },
        )
        .await;
    }

    async fn rename_user(&mut self, user: &ActiveUser) {
        let body = json!({ "name": format!("User {}", self.random.random::<u32>()) });
        let path = format!("/users/{}", user.id);
        self.write(Method::PUT, &path, body, |status, body| {
            let answer: User = answer(StatusCode::OK, status, body)?;
            owner(user, answer.id)?;
            user.revision.written(answer.revision);
            Ok(())
        })
        .await;
    }

    async fn place_order(&mut self, user: &ActiveUser) {
        let amount_cents = self.random.random_range(199..50_000);
        let body = json!({ "category": "books", "amount_cents": amount_cents, "date": &*self.day });
        let path = format!("/users/{}/orders", user.id);
        self.write(Method::POST, &path, body, |status, body| {
            let answer: Order = answer(StatusCode::CREATED, status, body)?;
            user.order.written(answer.id);
            Ok(())
        })
        .await;
    }

    async fn update_settings(&mut self) {
        let body = json!({
            "site_name": format!("Shop {}", self.random.random::<u32>()),
            "currency": "EUR",
            "free_shipping_cents": 5_000,
            "maintenance": false,
        });
        self.write(Method::PUT, "/settings", body, |status, body| {
            let answer: Settings = answer(StatusCode::OK, status, body)?;
            self.population.settings.written(answer.revision);
            Ok(())
        })
        .await;
    }

    /// Logs in, logs the older session out, and makes sure that its token is worth nothing any more.
    async fn relogin(&self, user: &ActiveUser) {
        let mut old = None;
        let body = json!({ "user_id": user.id });
        self.write(Method::POST, "/sessions", body, |status, body| {
            let answer: LoggedIn = answer(StatusCode::CREATED, status, body)?;
            old = Some(user.replace_token(answer.token.into()));
            Ok(())
        })
        .await;
        let Some(old) = old else { return };
        let path = session(&old);
        self.request(Kind::Write, Method::DELETE, &path, None, |status, _| {
            expect_status(StatusCode::NO_CONTENT, status)
        })
        .await;
        self.request(Kind::Session, Method::GET, &path, None, |status, _| {
            if status == StatusCode::OK {
                return Err(Failure::Wrong("a session outlived its logout".to_owned()));
            }
            expect_status(StatusCode::NOT_FOUND, status)
        })
        .await;
    }

    async fn get<T: DeserializeOwned>(
        &self,
        kind: Kind,
        path: &str,
        check: impl FnOnce(&T) -> Result<(), Failure>,
    ) {
        self.request(kind, Method::GET, path, None, |status, body| {
            check(&answer(StatusCode::OK, status, body)?)
        })
        .await;
    }

    async fn write(
        &self,
        method: Method,
        path: &str,
        body: Value,
        check: impl FnOnce(StatusCode, &[u8]) -> Result<(), Failure>,
    ) {
        self.request(Kind::Write, method, path, Some(body), check)
            .await;
    }

    /// Sends one request, checks the answer and records both.
    async fn request(
        &self,
        kind: Kind,
        method: Method,
        path: &str,
        body: Option<Value>,
        check: impl FnOnce(StatusCode, &[u8]) -> Result<(), Failure>,
    ) {
        let sent = Instant::now();
        let result = self.api.send(method, path, body).await;
        let answered = Instant::now();
        let result = match result {
            Ok((status, body)) => check(status, &body),
            Err(error) => Err(Failure::Error(error.to_string())),
        };
        self.recorder.record(kind, sent, answered, result.err());
    }
}

fn session(token: &str) -> String {
    format!("/sessions/{token}")
}

fn answer<T: DeserializeOwned>(
    expected: StatusCode,
    status: StatusCode,
    body: &[u8],
) -> Result<T, Failure> {
    expect_status(expected, status)?;
    serde_json::from_slice(body)
        .map_err(|error| Failure::Error(format!("unreadable answer: {error}")))
}

fn expect_status(expected: StatusCode, status: StatusCode) -> Result<(), Failure> {
    if status == expected {
        Ok(())
    } else {
        Err(Failure::Error(format!("answered with {status}")))
    }
}

/// The answer is about the user who was asked for.
fn owner(user: &ActiveUser, id: i64) -> Result<(), Failure> {
    if user.id == id {
        Ok(())
    } else {
        Err(Failure::Wrong(format!(
            "asked for user {}, got user {id}",
            user.id
        )))
    }
}

/// The answer is at least as new as what was known when the request was sent.
fn fresh(known: i64, answered: i64) -> Result<(), Failure> {
    if answered >= known {
        Ok(())
    } else {
        Err(Failure::Wrong(format!(
            "stale: revision {answered} after {known}"
        )))
    }
}
