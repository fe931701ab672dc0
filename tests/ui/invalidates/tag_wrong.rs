use cache_runtime::invalidates;

#[invalidates(tag = "user:<idd>", tag = 5)]
async fn mistakes(id: u64) -> u64 {
    id
}

#[invalidates(tags = ["user:<id>"])]
async fn plural(id: u64) -> u64 {
    id
}

#[invalidates(tag = "user:<return>", fence)]
async fn fenced(id: u64) -> u64 {
    id
}

fn main() {}
