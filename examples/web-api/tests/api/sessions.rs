use anyhow::Context;
use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::json;

use crate::app::App;

#[tokio::test]
async fn a_session_lasts_from_login_to_logout() -> anyhow::Result<()> {
    let app = App::start().await?;
    let (status, login) = app.post("/sessions", &json!({ "user_id": 31 })).await?;
    assert_eq!(status, StatusCode::CREATED);
    let token = login["token"].as_str().context("no token")?;
    let uri = format!("/sessions/{token}");

    for _ in 0..2 {
        let (status, session) = app.get(&uri).await?;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(session["user_id"], 31);
    }
    assert_eq!(app.delete(&uri).await?.0, StatusCode::NO_CONTENT);
    assert_eq!(app.get(&uri).await?.0, StatusCode::NOT_FOUND);
    assert_eq!(app.delete(&uri).await?.0, StatusCode::NOT_FOUND);
    Ok(())
}

#[tokio::test]
async fn each_login_has_a_token_of_its_own() -> anyhow::Result<()> {
    let app = App::start().await?;
    let (first, session) = app.repository.create_session(32).await?;
    let (second, _) = app.repository.create_session(32).await?;
    assert_ne!(first, second);

    assert!(app.repository.delete_session(&first).await?);
    assert_eq!(app.repository.find_session(&first).await?, None);
    assert!(app.repository.find_session(&second).await?.is_some());

    assert!(session.is_live(session.created_at + TimeDelta::hours(23)));
    assert!(!session.is_live(session.expires_at));
    Ok(())
}

#[tokio::test]
async fn only_who_exists_logs_in() -> anyhow::Result<()> {
    let app = App::start().await?;
    let nobody = app.dataset.users + 1;
    let (status, _) = app.post("/sessions", &json!({ "user_id": nobody })).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(app.get("/sessions/guessed").await?.0, StatusCode::NOT_FOUND);
    Ok(())
}
