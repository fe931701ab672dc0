use cache_runtime::invalidates;

#[invalidates("user:<id>")]
mod users {}

fn main() {}
