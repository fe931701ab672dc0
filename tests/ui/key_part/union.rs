use cache_runtime::KeyPart;

#[derive(KeyPart)]
union Bits {
    a: u64,
    b: u64,
}

fn main() {}
