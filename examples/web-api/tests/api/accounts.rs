use anyhow::Context;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::App;

/// What every page shows of two users: each is a hit when it is asked for again.
#[derive(Debug, PartialEq)]
struct Pages {
    user: Value,
    orders: [i64; 2],
}

impl Pages {
    async fn of(app: &App, users: [i64; 2]) -> anyhow::Result<Self> {
        let [from, into] = users;
        Ok(Self {
            user: app.get(&format!("/users/{from}")).await?.1,
            orders: [orders(app, from).await?, orders(app, into).await?],
        })
    }
}

async fn orders(app: &App, id: i64) -> anyhow::Result<i64> {
    let uri = format!("/dashboards/{id}?date={}", app.dataset.last_day);
    let (_, dashboard) = app.get(&uri).await?;
    dashboard["standing"]["orders"]
        .as_i64()
        .with_context(|| format!("no dashboard: {dashboard}"))
}

/// A user has an order on the last day.
async fn buy(app: &App, id: i64) -> anyhow::Result<()> {
    let order = json!({ "category": "books", "amount_cents": 100, "date": app.dataset.last_day });
    let (status, _) = app.post(&format!("/users/{id}/orders"), &order).await?;
    assert_eq!(status, StatusCode::CREATED);
    Ok(())
}

#[tokio::test]
async fn a_merge_shows_on_every_page_at_once() -> anyhow::Result<()> {
    let app = App::start().await?;
    let users = [61, 62];
    for id in users {
        buy(&app, id).await?;
    }
    let before = Pages::of(&app, users).await?;
    let (status, closed) = app.post("/users/61/merge", &json!({ "into": 62 })).await?;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(closed["name"], "Closed account");

    let after = Pages::of(&app, users).await?;
    assert_eq!(after.user, closed);
    let [from, into] = before.orders;
    assert_eq!(after.orders, [0, from + into]);
    let loaded = app.queries();
    Pages::of(&app, users).await?;
    assert_eq!(app.queries(), loaded, "and is cached again");
    Ok(())
}

/// The account is closed already when it turns out that nobody is there to take the orders.
#[tokio::test]
async fn a_merge_that_fails_changes_nothing() -> anyhow::Result<()> {
    let app = App::start().await?;
    let users = [63, 64];
    buy(&app, 63).await?;
    let before = Pages::of(&app, users).await?;
    let nobody = json!({ "into": app.dataset.users + 1 });
    let (status, error) = app.post("/users/63/merge", &nobody).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(error["error"], "there is no user 201");
    let after = Pages::of(&app, users).await?;
    assert_eq!(after, before);

    let (status, _) = app.post("/users/201/merge", &json!({ "into": 63 })).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = app.post("/users/63/merge", &json!({ "into": 63 })).await?;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    Ok(())
}

/// A client that goes away: the request is dropped at each of its await points.
#[tokio::test]
async fn a_merge_that_is_cut_off_shows_what_became_of_it() -> anyhow::Result<()> {
    let app = App::start().await?;
    let users = [65, 66];
    buy(&app, 65).await?;
    for times in 1.. {
        Pages::of(&app, users).await?;
        let merged = cut(app.repository.merge_accounts(65, 66), times).await;
        let in_the_database = async || cache_runtime::bypass(Pages::of(&app, users)).await;
        let before = in_the_database().await?;
        let shown = Pages::of(&app, users).await?;
        // Its COMMIT may be carried out in between, and then it may have been seen or not.
        if before == in_the_database().await? {
            assert_eq!(shown, before);
        }
        if let Some(merged) = merged {
            assert_eq!(merged?.name, "Closed account");
            return Ok(());
        }
    }
    Ok(())
}

/// Polls a future until it has been pending `times` times, and then drops it.
async fn cut<F: Future>(future: F, times: u32) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = times;
    std::future::poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        if polled.is_ready() {
            return polled.map(Some);
        }
        left -= 1;
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        std::task::Poll::Pending
    })
    .await
}
