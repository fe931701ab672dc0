use axum::http::StatusCode;
use serde_json::json;

use crate::app::App;

#[tokio::test]
async fn new_settings_show_at_once() -> anyhow::Result<()> {
    let app = App::start().await?;
    let (status, before) = app.get("/settings").await?;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(before["currency"], "EUR");

    let update = json!({
        "site_name": "Another Shop", "currency": "CHF", "free_shipping_cents": 0, "maintenance": true,
    });
    let (status, updated) = app.put("/settings", &update).await?;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(updated["currency"], "CHF");
    assert_eq!(app.get("/settings").await?, (StatusCode::OK, updated));

    let mut wrong = update;
    wrong["currency"] = json!("francs");
    let (status, _) = app.put("/settings", &wrong).await?;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    Ok(())
}
