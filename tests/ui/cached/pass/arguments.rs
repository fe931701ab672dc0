use cache_runtime::cached;

struct Query {
    id: u64,
    limit: u64,
}

#[cached(key = "tuple:<a>-<b>", ttl = 60)]
async fn tuple((a, b): (u64, u64)) -> u64 {
    a + b
}

#[cached(key = "struct:<id>_<page>", ttl = 60)]
async fn structure(Query { id, limit: page }: Query) -> u64 {
    id + page
}

#[cached(key = "reference:<a>.<b>", ttl = 60)]
async fn reference(&(a, ref b): &(u64, String)) -> String {
    b.clone() + &a.to_string()
}

#[cached(key = "mut:<count>", ttl = 60)]
async fn mutable(mut count: u64) -> u64 {
    count += 1;
    count
}

#[cached(key = "raw:<type>:<r#match>", ttl = 60)]
async fn raw(r#type: u64, r#match: u64) -> u64 {
    r#type + r#match
}

#[cached(key = "path:<query.id>/<query.limit>:<pair.0>:<pair.1.0>", ttl = 60)]
async fn paths(query: &Query, pair: (u64, (u64,))) -> u64 {
    query.id + query.limit + pair.0 + pair.1.0
}

#[cached(key = "hash:<token:hash>.<id>", ttl = 60)]
async fn hashed(token: &str, id: u64) -> u64 {
    token.len() as u64 + id
}

#[cached(key = "option:<id>", ttl = 60)]
async fn option(id: Option<u64>) -> Option<u64> {
    id
}

#[cached(key = "ignored:<a>", ttl = 60, skip(b))]
async fn ignored(a: u64, b: f64, _c: f64, _: f64) -> u64 {
    a + b as u64
}

#[cached(key = "angles:<<<id>>>", ttl = 60)]
async fn angles(id: u64) -> u64 {
    id
}

#[cached(key = "consumed:<name>", ttl = 60)]
async fn consumed(name: String) -> String {
    name
}

#[tokio::main]
async fn main() {
    assert_eq!(tuple((1, 2)).await, 3);
    assert_eq!(structure(Query { id: 1, limit: 2 }).await, 3);
    assert_eq!(reference(&(1, "x".into())).await, "x1");
    assert_eq!(mutable(1).await, 2);
    assert_eq!(raw(1, 2).await, 3);
    assert_eq!(paths(&Query { id: 1, limit: 2 }, (3, (4,))).await, 10);
    assert_eq!(hashed("token", 1).await, 6);
    assert_eq!(option(None).await, None);
    assert_eq!(ignored(1, 2.0, 3.0, 4.0).await, 3);
    assert_eq!(angles(1).await, 1);
    assert_eq!(consumed("x".into()).await, "x");
}
