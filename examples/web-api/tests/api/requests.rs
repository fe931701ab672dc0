use axum::body::Body;
use axum::http::StatusCode;
use serde_json::json;

use crate::app::App;

#[tokio::test]
async fn it_says_that_it_is_alive() -> anyhow::Result<()> {
    let app = App::start().await?;
    assert_eq!(
        app.get("/healthz").await?,
        (StatusCode::OK, json!({ "status": "ok" }))
    );
    Ok(())
}

#[tokio::test]
async fn the_stats_count_every_statement() -> anyhow::Result<()> {
    let app = App::start().await?;
    let (status, body) = app.get("/stats").await?;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["dataset"], json!(app.dataset));
    assert_eq!(body["database"]["queries"], 0);

    // One statement each: reading a user for the first time, renaming one, and deleting a session that is not there.
    app.get("/users/41").await?;
    app.put("/users/41", &json!({ "name": "Ken" })).await?;
    app.delete("/sessions/none").await?;
    assert_eq!(app.queries(), 3);
    assert_eq!(app.get("/stats").await?.1["database"]["queries"], 3);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_in_json() -> anyhow::Result<()> {
    let app = App::start().await?;
    let (status, error) = app.get("/users/me").await?;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(error["error"].is_string());

    let (status, error) = app.request("PUT", "/users/42", Body::from("{")).await?;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(error["error"].is_string());

    let (status, error) = app.put("/users/42", &json!({ "title": "Dr" })).await?;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(error["error"].is_string());
    Ok(())
}
