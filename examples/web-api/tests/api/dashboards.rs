use axum::http::StatusCode;
use chrono::Days;
use serde_json::json;

use crate::app::App;

#[tokio::test]
async fn a_dashboard_compares_a_user_with_the_region() -> anyhow::Result<()> {
    let app = App::start().await?;
    let date = app.dataset.last_day;
    let dashboard = app.repository.dashboard(21, date).await?;
    let Some(dashboard) = dashboard else {
        anyhow::bail!("no dashboard");
    };

    let standing = &dashboard.standing;
    assert!(standing.peers > 1);
    assert!((1..=standing.peers).contains(&standing.rank));
    assert!((0.0..=1.0).contains(&standing.percentile));

    let spent: i64 = dashboard
        .categories
        .iter()
        .map(|category| category.revenue_cents)
        .sum();
    assert_eq!(spent, standing.revenue_cents);
    let spent: i64 = dashboard.weeks.iter().map(|week| week.revenue_cents).sum();
    assert_eq!(spent, standing.revenue_cents);
    let region: f64 = dashboard
        .categories
        .iter()
        .map(|category| category.region_share)
        .sum();
    assert!((region - 1.0).abs() < 1e-9);
    assert!(
        dashboard
            .weeks
            .iter()
            .all(|week| (0..13).contains(&week.weeks_ago))
    );

    let (status, body) = app.get(&format!("/dashboards/21?date={date}")).await?;
    assert_eq!(status, StatusCode::OK);
    // Not the whole body: JSON's floats, as they are read here, may differ in the last digit.
    assert_eq!(body["standing"]["rank"], standing.rank);
    assert_eq!(body["standing"]["revenue_cents"], standing.revenue_cents);
    assert_eq!(
        body["weeks"].as_array().map(Vec::len),
        Some(dashboard.weeks.len())
    );
    Ok(())
}

#[tokio::test]
async fn an_order_shows_in_the_dashboard_at_once() -> anyhow::Result<()> {
    let app = App::start().await?;
    let date = app.dataset.last_day;
    let uri = format!("/dashboards/22?date={date}");
    let (_, before) = app.get(&uri).await?;

    let order = json!({ "category": "books", "amount_cents": 1_234, "date": date });
    let (status, order) = app.post("/users/22/orders", &order).await?;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(order["placed_on"], json!(date));

    let (_, after) = app.get(&uri).await?;
    assert_eq!(after["standing"]["latest_order"], order["id"]);
    assert_eq!(
        after["standing"]["revenue_cents"].as_i64(),
        before["standing"]["revenue_cents"]
            .as_i64()
            .map(|cents| cents + 1_234)
    );
    Ok(())
}

#[tokio::test]
async fn an_order_outside_the_window_does_not_count() -> anyhow::Result<()> {
    let app = App::start().await?;
    let date = app.dataset.last_day;
    let early = json!({ "category": "books", "amount_cents": 1, "date": date - Days::new(90) });
    let (_, early) = app.post("/users/23/orders", &early).await?;
    // The dashboard is read for the first time, so that it cannot come from the cache.
    let (_, dashboard) = app.get(&format!("/dashboards/23?date={date}")).await?;
    assert!(dashboard["standing"]["latest_order"].as_i64() < early["id"].as_i64());
    assert!(early["id"].is_i64());

    let first = json!({ "category": "books", "amount_cents": 1, "date": date - Days::new(89) });
    let (_, first) = app.post("/users/24/orders", &first).await?;
    let (_, dashboard) = app.get(&format!("/dashboards/24?date={date}")).await?;
    assert_eq!(dashboard["standing"]["latest_order"], first["id"]);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_ordered_or_shown_is_refused() -> anyhow::Result<()> {
    let app = App::start().await?;
    let nobody = app.dataset.users + 1;
    let order = json!({ "category": "books", "amount_cents": 1 });
    let (status, _) = app.post(&format!("/users/{nobody}/orders"), &order).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    for (category, amount_cents) in [("books", 0), ("books", i64::MAX), (" ", 1)] {
        let order = json!({ "category": category, "amount_cents": amount_cents });
        let (status, _) = app.post("/users/25/orders", &order).await?;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{order}");
    }
    let (status, _) = app.get(&format!("/dashboards/{nobody}")).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, error) = app.get("/dashboards/25?date=yesterday").await?;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(error["error"].is_string());
    Ok(())
}
