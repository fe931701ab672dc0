use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60, tags = "user:<id>")]
async fn no_list(id: u64) -> u64 {
    id
}

#[cached(key = "user:<id>", ttl = 60, tags = [])]
async fn empty(id: u64) -> u64 {
    id
}

#[cached(key = "user:<id>", ttl = 60, tags = [id])]
async fn no_template(id: u64) -> u64 {
    id
}

#[cached(key = "user:<id>", ttl = 60, tags = ["user:<idd>", "", "user:<return>"])]
async fn mistakes(id: u64) -> u64 {
    id
}

#[cached(key = "user:<id>", ttl = 60, tags = ["tenant:<tenant>"])]
async fn does_not_cover(id: u64, tenant: u64) -> u64 {
    id + tenant
}

#[cached(key = "user:<id>", ttl = 60, local_ttl = 5, tags = ["tenant"])]
async fn in_this_process(id: u64) -> u64 {
    id
}

fn main() {}
