use cache_runtime::KeyPart;

#[derive(KeyPart)]
enum Region {
    Europe,
    Other(u64),
}

fn main() {}
