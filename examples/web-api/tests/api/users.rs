use axum::body::Body;
use axum::http::StatusCode;
use serde_json::json;

use crate::app::App;

#[tokio::test]
async fn a_renamed_user_has_the_new_name_at_once() -> anyhow::Result<()> {
    let app = App::start().await?;
    let (status, before) = app.get("/users/11").await?;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(before["email"], "user11@example.com");

    let (status, renamed) = app
        .put("/users/11", &json!({ "name": "  Ada King " }))
        .await?;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(renamed["name"], "Ada King");
    assert_eq!(renamed["revision"], 2);
    assert_eq!(app.get("/users/11").await?, (StatusCode::OK, renamed));
    Ok(())
}

#[tokio::test]
async fn patch_renames_too() -> anyhow::Result<()> {
    let app = App::start().await?;
    let body = Body::from(json!({ "name": "Grace" }).to_string());
    let (status, _) = app.request("PATCH", "/users/12", body).await?;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(app.get("/users/12").await?.1["name"], "Grace");
    Ok(())
}

#[tokio::test]
async fn who_does_not_exist_is_not_found() -> anyhow::Result<()> {
    let app = App::start().await?;
    let missing = format!("/users/{}", app.dataset.users + 1);
    assert_eq!(app.get(&missing).await?.0, StatusCode::NOT_FOUND);
    assert_eq!(app.get("/users/-1").await?.0, StatusCode::NOT_FOUND);
    let (status, error) = app.put(&missing, &json!({ "name": "Nobody" })).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(error["error"], "there is no user 201");
    Ok(())
}

#[tokio::test]
async fn a_name_is_neither_empty_nor_endless() -> anyhow::Result<()> {
    let app = App::start().await?;
    for name in ["   ".to_owned(), "x".repeat(101)] {
        let (status, _) = app.put("/users/13", &json!({ "name": name })).await?;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(app.get("/users/13").await?.1["revision"], 1);
    Ok(())
}
