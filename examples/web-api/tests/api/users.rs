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

#[tokio::test]
async fn several_users_are_one_statement_for_those_who_are_not_cached() -> anyhow::Result<()> {
    let app = App::start().await?;
    app.get("/users/51").await?;
    let before = app.queries();
    let (status, users) = app.get("/users?ids=53,51,52,999999").await?;
    assert_eq!(status, StatusCode::OK);
    let ids: Vec<_> = users
        .as_array()
        .into_iter()
        .flatten()
        .map(|user| &user["id"])
        .collect();
    assert_eq!(ids, [51, 52, 53]);
    assert_eq!(app.get("/users/53").await?.1, users[2]);
    assert_eq!(app.queries(), before + 1);

    let (status, _) = app.get("/users?ids=1,x").await?;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let many = vec!["1"; 101].join(",");
    let (status, error) = app.get(&format!("/users?ids={many}")).await?;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(error["error"], "at most 100 users at a time");
    Ok(())
}

#[tokio::test]
async fn users_who_are_anonymised_have_no_name_at_once() -> anyhow::Result<()> {
    let app = App::start().await?;
    app.get("/users?ids=61,62").await?;
    let ids = Body::from("[61, 62, 999999]");
    let (status, done) = app.request("POST", "/users/anonymise", ids).await?;
    assert_eq!((status, done), (StatusCode::OK, json!(2)));
    for id in [61, 62] {
        assert_eq!(
            app.get(&format!("/users/{id}")).await?.1["name"],
            "Anonymous"
        );
    }
    Ok(())
}
