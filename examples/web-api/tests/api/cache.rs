use anyhow::Context;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::App;

#[tokio::test]
async fn a_second_read_executes_no_statement() -> anyhow::Result<()> {
    let app = App::start().await?;
    let (_, login) = app.post("/sessions", &json!({ "user_id": 51 })).await?;
    let token = login["token"].as_str().context("no token")?;
    let reads = [
        "/users/51".to_owned(),
        format!("/dashboards/51?date={}", app.dataset.last_day),
        format!("/sessions/{token}"),
    ];
    for uri in reads {
        let before = app.queries();
        let (status, first) = app.get(&uri).await?;
        assert_eq!(status, StatusCode::OK);
        let loaded = app.queries();
        assert!(loaded > before, "{uri}");
        assert_eq!(app.get(&uri).await?, (StatusCode::OK, first));
        assert_eq!(app.queries(), loaded, "{uri}");
    }
    Ok(())
}

#[tokio::test]
async fn the_stats_show_every_annotated_function() -> anyhow::Result<()> {
    let app = App::start().await?;
    app.get("/users/52").await?;
    app.get("/users/52").await?;
    let (_, body) = app.get("/stats").await?;
    let sites = body["cache"]["call_sites"]
        .as_array()
        .context("no call sites")?;
    assert_eq!(sites.len(), 12);
    let find_user = sites
        .iter()
        .find(|site| site["function"] == "web_api::repository::users::find_user")
        .context("find_user is not listed")?;
    assert_eq!(find_user["templates"], json!(["user:<id>"]));
    assert!(find_user["measured"]["stats"]["hits"].as_u64() >= Some(1));
    assert!(body["cache"]["total"]["stats"]["hits"].as_u64() >= Some(1));
    assert_eq!(body["cache"]["mode"], json!("on"));
    assert_eq!(body["cache"]["undelivered"], Value::from(0));
    Ok(())
}
